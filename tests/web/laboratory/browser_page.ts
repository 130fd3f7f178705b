/**
 * @file What the engine's browser test runs in a page: a visit to the laboratory, without a picture.
 * Bundled by the test.
 */
import { hasRelaxedSimd } from "../../../core/jit/wasm/assembler.ts";
import { connect } from "../../../web/laboratory/connection.ts";
import type { EngineOptions } from "../../../web/laboratory/engine.ts";
import type { Progress } from "../../../web/laboratory/engine_types.ts";
import type { LaboratorySettings } from "../../../web/laboratory/settings.ts";

/** What a visitor does. */
export interface Visit {
  readonly settings: LaboratorySettings;
  readonly options: EngineOptions;
}

/** Trains 20 steps, asks for pictures meanwhile, and says what was seen. */
export async function visit({ settings, options }: Visit) {
  const progress: Progress[] = [], failures: string[] = [];
  let wake = () => {};
  const { engine, close } = connect({
    progress(event) {
      progress.push(event);
      wake();
    },
    failure: (line) => void failures.push(line),
  }, options);
  const seen = {
    ...{ device: "", threads: 0, exported: 0, relaxedSimd: hasRelaxedSimd() },
    potential: [] as number[],
    error: undefined as string | undefined,
  };
  const field = { subject: { kind: "learned" }, u: 0.5, size: 8, extent: 4 } as const;
  try {
    const facts = await engine.open(settings);
    [seen.device, seen.threads] = [facts.device.name, facts.threads];
    await engine.play(20);
    await Promise.all([engine.field(field), engine.measure()]);
    while (progress.length === 0 || progress.at(-1)!.playing) {
      await new Promise<void>((resolve) => wake = resolve);
    }
    seen.potential = [...(await engine.field(field)).potential];
    seen.exported = (await engine.exportRun("run")).length;
  } catch (error) {
    seen.error = (error as Error).message;
  } finally {
    close();
  }
  return { ...seen, failures, metrics: progress.flatMap(({ metrics }) => metrics) };
}

Object.assign(globalThis, { visit });
