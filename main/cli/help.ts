/** What `--help` prints. */
import { METHOD_IDS } from '../../core/attribution/methods.ts';
import { METRIC_IDS } from '../../core/metrics/metrics.ts';
import { STUDY_BASELINES } from '../study/plan.ts';
import type { CommandName } from './arguments.ts';

const EXPLANATION_OPTIONS = `  --model ID        the model to explain; explain: pneumonia by default
  --method ID       how to explain; integrated-gradients by default. 'pathlight methods' lists them
  --set NAME=VALUE  a parameter of the method; may be repeated. Of a method beneath: around.method=ID,
                    around.parameters.NAME=VALUE
  --baseline ID     what the image is compared with; blurred by default. 'pathlight methods' lists them
  --baseline-set NAME=VALUE   a parameter of the baseline; may be repeated
  --target LABEL    the label to explain; by default the card's positive one
  --scalar NAME     logit (default), probability or log-probability
  --models DIR      a folder of further models, one folder a model with its card.json
  --device NAME     what computes the gradients: cpu (default), webgpu, cuda, dml or coreml; see 'pathlight devices'
  --json            print one result object a line
  -h, --help        print this
`;

const EXIT_CODES = `Exit codes: 0 done; 1 something failed, and is named; 2 a mistake in what was typed; 130 interrupted.
`;

const TOPICS: Readonly<Record<CommandName, string>> = {
  explain: `Usage: pathlight explain FILE-or-FOLDER ... [options]

Explains each DICOM image. Writes DIR/NAME/map.npy, overlay.png, report.pdf and result.json for it.

  --out DIR         where to write; ./pathlight-out by default
  --frame N         the frame to explain of an image with several, counted from 1
  --compare         explain from black, white, grey and blurred, too, so that the report compares them
  --cohort DIR      images to compare with, for methods and baselines that need some: the single-frame DICOM of a folder, at
                    most 64, the explained image left out
  --baseline-image FILE       an image of your own as the baseline
${EXPLANATION_OPTIONS}
${EXIT_CODES}`,
  compare: `Usage: pathlight compare FILE --zoom F | --shift COLUMNS,ROWS | --window CENTRE,WIDTH [options]
       pathlight compare FILE OTHER-FILE [options]

Explains an image and a changed version of it, or two images, and says what moved: scores and maps side by side on one scale,
the changed map brought back into the first one's frame, their difference. Writes DIR/compare.json, compare.png, compare.pdf,
map-a.npy, map-b.npy, and, where the maps can be laid over one another, map-b-in-a.npy and difference.npy.

  --zoom F          zoom the picture F times about its middle (0.1 to 10)
  --shift C,R       move it C columns to the right and R rows down, in pixels of the model's input; after the zoom
  --window C,W      show it with another window, in the units of the file's own; the three can be combined
  --out DIR         where to write; ./pathlight-out by default
  --frame N         the frame to compare of images with several, counted from 1
${EXPLANATION_OPTIONS}
${EXIT_CODES}`,
  audit: `Usage: pathlight audit FOLDER --model ID --out DIR [options]

Explains every DICOM image of a folder. Writes DIR/results.jsonl, results.csv, failures.jsonl, summary.pdf, and a
picture of each flagged image in DIR/flagged. Run again, it goes on where it stopped. Of an image with several frames
it explains the first.

  --out DIR         where to write
${EXPLANATION_OPTIONS}
${EXIT_CODES}`,
  study: `Usage: pathlight study FOLDER --out DIR [--labels FILE] [options]

Makes the maps of many methods, baselines and numbers of steps of every DICOM image of a folder, and measures each beside
maps that know nothing of the model: the published experiments, on your own images. Writes DIR/results.csv, statistics.csv,
agreement.csv, steps.csv, failures.jsonl, study.json, the maps in DIR/maps, figures (SVG and PNG) in DIR/figures and DIR/summary.pdf;
docs/results.md describes them. Run again, it goes on where it stopped, and keeps what still fits when options change. Of an
image with several frames it takes the first.

  --labels FILE     a CSV table with the columns file and label; figures are then given for each label, too
  --masks DIR       where the evidence should be: a PNG for each image, named like it; by default the lungs, as the lungs
                    model draws them
  --model ID,ID     the models; pneumonia by default
  --design NAME     idgi: each path with and without IDGI, over the steps; baselines: one method from six baselines;
                    all (default): both. The next three replace what it consists of
  --methods A,B     ${METHOD_IDS.join(', ')}
  --baselines A,B   ${STUDY_BASELINES.join(', ')}
  --steps 8,16      numbers of steps, of the methods that take them
  --metrics A,B     ${METRIC_IDS.join(', ')}
  --cohort DIR      a folder of DICOM images to compare with, for the methods and baselines that do
  --target LABEL    the label to explain; by default what the model decides on each image
  --scalar NAME     logit (default), probability or log-probability
  --blank NAME      what pixels become where a metric takes them away: black, white, grey or blurred (default)
  --limit N         takes N of the images, from each label in turn
  --seed N          of what is drawn: images, noise, random maps; 1 by default
  --out DIR         where to write
  --models DIR      a folder of further models, one folder a model with its card.json
  --device NAME     what computes the gradients: cpu (default), webgpu, cuda, dml or coreml
  --json            print one row of results.csv a line, as an object
  -h, --help        print this

${EXIT_CODES}`,
  serve: '',
  methods: `Usage: pathlight methods [--json]

Lists every method and every baseline: what it is for, what it needs, what the map should sum to, and its parameters with
their defaults. docs/methods.md has the formulas' sources.

${EXIT_CODES}`,
  devices: `Usage: pathlight devices [--json]

Lists what can compute gradients here. Each device is tried in a process of its own: its gradient of a small network must
agree with the CPU's. Nothing is downloaded; docs/gpu.md says what to install.

${EXIT_CODES}`,
  'model check': `Usage: pathlight model check FILE.onnx [--json]
       pathlight model check FOLDER [--json]

Says whether a model can be explained, and if not, why: an ONNX file, or the folder of a TensorFlow.js model (model.json
and its shards). Of an ONNX file also what a gradient takes, device by device; of a TensorFlow.js model the hashes that
its card needs.

Exit codes: 0 it can; 1 it cannot, or it cannot be read as a model; 2 a mistake in what was typed.
`,
};

const OVERVIEW = `Pathlight: see what a pneumonia model looked at. Offline; not a medical device, not for diagnosis.

Usage: pathlight COMMAND [options]

  explain FILE-or-FOLDER ...           explain images: map, overlay, result and report of each
  compare FILE [OTHER-FILE]            explain two images, or one and a changed version of it: what moved?
  audit FOLDER --model ID --out DIR    explain a whole folder: table, summary, flags
  study FOLDER --out DIR               compare methods, baselines and steps over a folder
  serve [FILE-or-FOLDER ...]           open the workbench in the browser
  methods                              list the methods and baselines, with their parameters
  devices                              list what can compute here, each after a self-test
  model check FILE.onnx or FOLDER      say whether a model can be explained

  COMMAND --help    the options of a command
  --version         print the version

${EXIT_CODES}`;

export function helpText(topic: CommandName | null): string {
  return topic === null ? OVERVIEW : TOPICS[topic];
}
