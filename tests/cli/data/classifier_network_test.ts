import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { prepareClassifier } from "../../../cli/data/classifier_network.ts";
import type { FeatureNetworkRequest } from "../../../cli/data/feature_networks.ts";
import { dataDirectory } from "../../../cli/data_directory.ts";
import { encodeIdx } from "../../../core/data/idx.ts";
import { VapoError } from "../../../core/errors.ts";
import { readPreparedNetwork } from "../../../core/metrics/prepared_features.ts";
import { assertUserError, filesBelow, inTemporaryDirectory, startVapo, vapo } from "../program.ts";
import { prepared, writeFiles } from "./source_files.ts";

const prepareBriefly = prepareClassifier("fashion-mnist", { steps: 3 });

/** Pictures of 28×28 with labels, another set for every number, as IDX files. */
function idxFiles(number = 0, counts = { train: 40, t10k: 12 }): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  for (const [part, count] of Object.entries(counts)) {
    const data = Uint8Array.from({ length: count * 784 }, (_, i) => (i * (i + number)) % 251);
    const labels = Uint8Array.from({ length: count }, (_, i) => i % 10);
    const images = encodeIdx({ dtype: "uint8", shape: [count, 28, 28], data });
    files[`${part}-images-idx3-ubyte`] = images;
    files[`${part}-labels-idx1-ubyte`] = encodeIdx({
      dtype: "uint8",
      shape: [count],
      data: labels,
    });
  }
  return files;
}

function requestOf(
  directory: string,
  source: string,
  more: Partial<FeatureNetworkRequest> = {},
): FeatureNetworkRequest {
  return {
    directory,
    location: "features",
    source,
    unverified: true,
    signal: new AbortController().signal,
    onNotice() {},
    onProgress() {},
    ...more,
  };
}

async function names(directory: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name).sort();
}

Deno.test("a classifier is made of IDX files, found there, and made again where it is damaged", () =>
  inTemporaryDirectory(async (cwd) => {
    const source = join(cwd, "idx"), directory = join(cwd, "out");
    await writeFiles(source, idxFiles());
    const progress: [number, number, string][] = [], notices: string[] = [];
    const request = requestOf(directory, source, {
      onProgress: (...told) => progress.push(told),
      onNotice: (notice) => notices.push(notice),
    });
    const made = await prepareBriefly(request);
    assertEquals(made.kind, "made");
    assertEquals(progress.at(-1), [3, 3, "steps"]);
    assertMatch(notices.join(), /are not the official ones of fashion-mnist/);
    const { index } = await readPreparedNetwork(dataDirectory(directory));
    assertEquals([index.network, index.size], ["fashion-mnist-classifier", 128]);
    const { trainImages, testImages, steps, official } = index.made;
    assertEquals([trainImages, testImages, steps, official], [40, 12, 3, false]);
    assert(made.facts.includes(`weights ${index.sha256}`));
    assertMatch(made.facts.join("\n"), /trained on 40 images.*\nright on \d+\.\d\d % of 12 test/);
    assertMatch(made.facts.join("\n"), /T-shirt \d+, .*ankle boot \d+\n.*\n.*no FID/);

    const files = await filesBelow(directory);
    for (const source of [request.source, undefined, join(cwd, "nowhere")]) {
      const again = await prepareBriefly({ ...request, source });
      assertEquals(again, { kind: "there", facts: made.facts });
    }
    assertEquals(await filesBelow(directory), files);

    const weights = files.get("weights.safetensors")!.slice();
    weights[weights.length - 1] ^= 1;
    await Deno.writeFile(join(directory, "weights.safetensors"), weights);
    assertEquals(await prepareBriefly(request), made);
    assertMatch(notices.join("\n"), /weights\.safetensors is damaged.*made again/);
    assertEquals(await filesBelow(directory), files);
  }));

Deno.test("a prepared set makes the same classifier as the files that it is from", () =>
  inTemporaryDirectory(async (cwd) => {
    const source = join(cwd, "idx"), set = join(cwd, "set");
    await writeFiles(source, idxFiles());
    await prepared({ name: "fashion-mnist", source, directory: set, unverified: true });
    const found = [];
    for (const from of [source, set]) {
      const directory = `${from}-features`;
      await prepareBriefly(requestOf(directory, from));
      found.push(await filesBelow(directory));
    }
    assertEquals(found[1], found[0]);
  }));

Deno.test("stopped, it leaves nothing", () =>
  inTemporaryDirectory(async (cwd) => {
    const source = join(cwd, "idx"), directory = join(cwd, "out");
    await writeFiles(source, idxFiles());
    const controller = new AbortController();
    const outcome = await prepareClassifier("fashion-mnist", { steps: 100_000 })(
      requestOf(directory, source, {
        signal: controller.signal,
        onProgress: (done) => done > 0 && controller.abort(),
      }),
    );
    assertEquals(outcome, { kind: "stopped", facts: [] });
    assertEquals(await names(cwd), ["idx"]);
  }));

Deno.test("other images, other directories and a lack of test images are refused in one line", () =>
  inTemporaryDirectory(async (cwd) => {
    const source = join(cwd, "idx"), directory = join(cwd, "out"), other = join(cwd, "other");
    await writeFiles(source, idxFiles());
    await writeFiles(other, idxFiles(1));
    await prepareBriefly(requestOf(directory, source));
    const before = await filesBelow(directory);
    const refused = async (
      request: FeatureNetworkRequest,
      message: string,
      run = prepareBriefly,
    ) => {
      const error = await assertRejects(() => run(request), VapoError, message);
      assert(!error.message.includes("\n"));
    };
    await refused(requestOf(directory, other), "trained on other images than those of");
    await refused(
      requestOf(directory, source),
      "holds another network: fashion-mnist-classifier, expected mnist-classifier",
      prepareClassifier("mnist", { steps: 3 }),
    );
    assertEquals(await filesBelow(directory), before);
    await refused(requestOf(other, source), "is not empty and holds no feature network");
    const official = requestOf(join(cwd, "new"), source, { unverified: false });
    await refused(official, "has the MD5 sum");
    const { ["t10k-labels-idx1-ubyte"]: _labels, ...files } = idxFiles();
    await writeFiles(join(cwd, "half"), files);
    await refused(
      requestOf(join(cwd, "new"), join(cwd, "half")),
      "has no images of the split test",
    );
    await prepared({
      name: "mnist",
      source: other,
      directory: join(cwd, "mnist"),
      unverified: true,
    });
    await refused(
      requestOf(join(cwd, "new"), join(cwd, "mnist")),
      "holds mnist; expected fashion-mnist",
    );
    assertEquals(await names(cwd), ["half", "idx", "mnist", "other", "out"]);
  }));

Deno.test("the command: without its images, interrupted, and where all is there", () =>
  inTemporaryDirectory(async (cwd) => {
    assertUserError(
      await vapo(["data", "fashion-mnist-features"], { cwd }),
      /data\/fashion-mnist is not there.*make it by "vapo data fashion-mnist --source PATH"/,
    );
    await writeFiles(join(cwd, "idx"), idxFiles());
    const args = ["data", "fashion-mnist-features", "--source", "idx", "--unverified", "--json"];
    const running = startVapo(args, { cwd });
    assert(await running.sees(/"event":"progress".*"unit":"steps"/));
    running.process.kill("SIGINT");
    const { code, stdout } = await running.end();
    assertEquals(code, 130);
    assertMatch(stdout, /"event":"end".*"finished":false/);
    assertEquals(await names(join(cwd, "data")).catch(() => []), []);

    const directory = join(cwd, "data/fashion-mnist-features");
    const { facts } = await prepareBriefly(requestOf(directory, join(cwd, "idx")));
    const there = await vapo(["data", "fashion-mnist-features"], { cwd });
    assertEquals([there.code, there.stderr], [0, ""]);
    for (const fact of facts) assert(there.stdout.includes(fact));
  }));
