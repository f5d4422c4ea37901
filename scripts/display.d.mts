export function hasDisplay(): boolean;
