/**
 * The picture in one pass: core/imaging/grayscale.ts as a table, core/imaging/blend.ts in GLSL, the outline of the lungs.
 * Grey is interpolated after the table, in display values, so that the screen shows what report and model get.
 */

export const VERTEX_SHADER = `#version 300 es
void main() {
  // One triangle that covers the viewport.
  gl_Position = vec4(vec2((gl_VertexID << 1) & 2, gl_VertexID & 2) * 2.0 - 1.0, 0.0, 1.0);
}`;

export const FRAGMENT_SHADER = `#version 300 es
precision highp float;
precision highp int;
precision highp sampler2D;
precision highp usampler2D;

uniform usampler2D stored;      // [rows, columns] codes
uniform sampler2D displayTable; // display value of each code, 256 a row
uniform sampler2D map;          // [height, width] attribution
uniform sampler2D colors;       // 256 x 1
uniform sampler2D lungs;        // [height, width] probability

uniform float canvasHeight;     // device pixels
uniform vec3 imageX;            // image coordinates of a device pixel (x, y, 1)
uniform vec3 imageY;
uniform int codeMask;
uniform int taps;               // samples a side within one device pixel; 1: bilinear

uniform bool overlaid;
uniform int sign_;              // 0 all, 1 positive, 2 negative, 3 absolute
uniform float range_;
uniform float threshold;
uniform float opacity;

uniform bool outlined;
uniform float lineWidth;        // device pixels
uniform vec3 lineColor;

out vec4 color;

float displayAt(ivec2 at, ivec2 last) {
  ivec2 pixel = clamp(at, ivec2(0), last);
  int code = int(texelFetch(stored, pixel, 0).r) & codeMask;
  return texelFetch(displayTable, ivec2(code & 255, code >> 8), 0).r;
}

float greyAt(vec2 p, ivec2 last) {
  if (taps == 1) {
    ivec2 corner = ivec2(floor(p));
    vec2 part = fract(p);
    return mix(
      mix(displayAt(corner, last), displayAt(corner + ivec2(1, 0), last), part.x),
      mix(displayAt(corner + ivec2(0, 1), last), displayAt(corner + ivec2(1, 1), last), part.x),
      part.y);
  }
  vec2 right = vec2(imageX.x, imageY.x);
  vec2 down = vec2(imageX.y, imageY.y);
  float sum = 0.0;
  for (int j = 0; j < taps; j++) {
    for (int i = 0; i < taps; i++) {
      vec2 offset = (vec2(i, j) + 0.5) / float(taps) - 0.5;
      sum += displayAt(ivec2(floor(p + offset.x * right + offset.y * down + 0.5)), last);
    }
  }
  return sum / float(taps * taps);
}

// Samples lie at (i + 0.5): borders align, as in core/imaging/resample.ts.
float fieldAt(sampler2D field, vec2 share) {
  ivec2 size = textureSize(field, 0);
  vec2 p = share * vec2(size) - 0.5;
  ivec2 corner = ivec2(floor(p));
  vec2 part = fract(p);
  ivec2 last = size - 1;
  ivec2 low = clamp(corner, ivec2(0), last);
  ivec2 high = clamp(corner + 1, ivec2(0), last);
  return mix(
    mix(texelFetch(field, low, 0).r, texelFetch(field, ivec2(high.x, low.y), 0).r, part.x),
    mix(texelFetch(field, ivec2(low.x, high.y), 0).r, texelFetch(field, high, 0).r, part.x),
    part.y);
}

vec3 colorAt(float position) {
  float exact = clamp(position, 0.0, 1.0) * 255.0;
  float below = min(floor(exact), 254.0);
  return mix(
    texelFetch(colors, ivec2(int(below), 0), 0).rgb,
    texelFetch(colors, ivec2(int(below) + 1, 0), 0).rgb,
    exact - below);
}

void main() {
  vec3 device = vec3(gl_FragCoord.x, canvasHeight - gl_FragCoord.y, 1.0);
  vec2 p = vec2(dot(imageX, device), dot(imageY, device));
  ivec2 size = textureSize(stored, 0);
  vec2 share = (p + 0.5) / vec2(size);
  bool outside = any(lessThan(share, vec2(0.0))) || any(greaterThanEqual(share, vec2(1.0)));

  vec3 shown = vec3(greyAt(p, size - 1));

  if (overlaid) {
    float a = fieldAt(map, share);
    float s = sign_ == 1 ? max(a, 0.0) : sign_ == 2 ? min(a, 0.0) : sign_ == 3 ? abs(a) : a;
    float magnitude = abs(s);
    float ratio = magnitude / threshold;
    float alpha = magnitude == 0.0 ? 0.0 : magnitude >= threshold ? 1.0 : ratio * ratio;
    float t = range_ > 0.0 ? clamp(s / range_, -1.0, 1.0) : 0.0;
    vec3 tint = colorAt(sign_ == 3 ? t : (t + 1.0) / 2.0);
    shown += opacity * alpha * (tint - shown);
  }

  if (outlined) {
    float probability = fieldAt(lungs, share);
    float slope = length(vec2(dFdx(probability), dFdy(probability)));
    float distance_ = abs(probability - 0.5) / max(slope, 1e-6);
    shown = mix(shown, lineColor, 1.0 - smoothstep(lineWidth / 2.0 - 0.5, lineWidth / 2.0 + 0.5, distance_));
  }

  color = vec4(outside ? vec3(0.0) : shown, 1.0);
}`;
