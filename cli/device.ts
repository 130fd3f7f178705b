/**
 * @file Opening a device without noise on the screen.
 */
import { VapoError } from "../core/errors.ts";
import { type DeviceInfo, type DeviceName, openDevice } from "../core/tensor/mod.ts";

/**
 * Keeps graphics drivers from printing. On Linux they look for a Wayland display and complain where
 * XDG_RUNTIME_DIR is not set; with a place that holds no display they find none, silently.
 */
export function silenceGraphicsDrivers(): void {
  if (Deno.build.os !== "linux" || Deno.env.get("XDG_RUNTIME_DIR") !== undefined) return;
  Deno.env.set("XDG_RUNTIME_DIR", "/nonexistent");
}

/**
 * Opens a device.
 *
 * @param threads those of compiled programs; default as many as there are cores
 * @throws {VapoError} when it is not there or does not start
 */
export async function startDevice(name: DeviceName, threads?: number): Promise<DeviceInfo> {
  silenceGraphicsDrivers();
  try {
    return await openDevice(name, { threads });
  } catch (error) {
    if (error instanceof VapoError) throw error;
    throw new VapoError(
      `device "${name}" did not start: ${(error as Error).message}; ` +
        'try --device wasm, or see "vapo doctor"',
    );
  }
}

/** A device in a few words, with the reason for taking it where it was not asked for by name. */
export function describeDevice({ name, reason }: DeviceInfo): string {
  return reason === "asked for" ? name : `${name} (${reason})`;
}
