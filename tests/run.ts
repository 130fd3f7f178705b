/**
 * @file The test task: `deno task test [--require-all] [--doc] [--summary FILE] [FILE…]`; `--doc`
 * runs the examples in docstrings, `--summary` adds the counts to a file.
 *
 * Some tests need a WebGPU adapter, Chromium, or a shell to complete commands in. Where one is
 * missing and whoever runs this is root on Debian, it is installed first (a software adapter does);
 * elsewhere this says what to install, and those tests are skipped and counted as skipped, or fail
 * with `--require-all`.
 */
import { silenceGraphicsDrivers } from "../cli/device.ts";
import { findAdapter } from "../core/tensor/device.ts";
import { chromiumPath } from "./chromium.ts";
import { isInstalled } from "./installed.ts";

interface Need {
  readonly what: string;
  readonly debianPackage: string;
  isMissing(): Promise<boolean>;
}

const needs: Need[] = [
  { what: "zsh", debianPackage: "zsh", isMissing: async () => !await isInstalled("zsh") },
  { what: "fish", debianPackage: "fish", isMissing: async () => !await isInstalled("fish") },
  {
    what: "a WebGPU adapter",
    debianPackage: "mesa-vulkan-drivers",
    isMissing: async () => await findAdapter() === null,
  },
  {
    what: "Chromium",
    debianPackage: "chromium",
    isMissing: async () => await chromiumPath() === undefined,
  },
];

async function run(command: string, ...args: string[]): Promise<boolean> {
  const options = { args, env: { DEBIAN_FRONTEND: "noninteractive" } };
  return (await new Deno.Command(command, options).spawn().status).success;
}

async function isRootOnDebian(): Promise<boolean> {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  return await Deno.stat("/etc/debian_version").then(() => true, () => false);
}

async function installWhatIsMissing(): Promise<void> {
  const missing: Need[] = [];
  for (const need of needs) if (await need.isMissing()) missing.push(need);
  if (missing.length === 0) return;
  const packages = missing.map(({ debianPackage }) => debianPackage);
  const names = missing.map(({ what }) => what).join(" and ");
  if (await isRootOnDebian()) {
    console.log(`Installing ${packages.join(" and ")}: the tests use ${names}.`);
    const installed = await run("apt-get", "update", "-qq") &&
      await run("apt-get", "install", "-y", "-qq", ...packages);
    if (installed) return;
  }
  console.log(
    `${names} not found: tests that need them are skipped. On Debian or Ubuntu install ` +
      `${packages.join(" ")} (as root); elsewhere a GPU driver or a browser of your system.`,
  );
}

/** Counts of a JUnit report. */
function count(report: string) {
  const sum = (name: string) =>
    [...report.matchAll(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`, "g"))]
      .reduce((total, [, number]) => total + Number(number), 0);
  const failed = sum("failures") + sum("errors"), skipped = sum("disabled");
  return { passed: sum("tests") - failed - skipped, failed, skipped };
}

async function main(args: string[]): Promise<number> {
  const take = (flag: string) => {
    const at = args.indexOf(flag);
    if (at < 0) return false;
    args.splice(at, 1);
    return true;
  };
  const requireAll = take("--require-all"), docs = take("--doc");
  const summaryAt = args.indexOf("--summary");
  const [, summary] = summaryAt < 0 ? [] : args.splice(summaryAt, 2);
  silenceGraphicsDrivers();
  await installWhatIsMissing();
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  const what = docs ? ["--doc", "mod.ts", "core"] : args.length > 0 ? args : ["tests"];
  const { code } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", `--junit-path=${report}`, ...what],
    env: {
      ...(requireAll && { VAPO_REQUIRE_ALL: "1" }),
    },
  }).spawn().status;
  const { passed, failed, skipped } = count(await Deno.readTextFile(report));
  await Deno.remove(report);
  console.log(`${passed} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ""}`);
  if (summary) await Deno.writeTextFile(summary, `${passed} ${failed}\n`, { append: true });
  if (requireAll && skipped > 0) {
    console.log("Nothing may be skipped with --require-all.");
    return 1;
  }
  return code;
}

Deno.exit(await main([...Deno.args]));
