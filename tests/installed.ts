/**
 * @file What programs this machine has.
 */

/** Whether a program can be run by its name. */
export async function isInstalled(program: string): Promise<boolean> {
  try {
    const version = new Deno.Command(program, { args: ["--version"], stdout: "null" });
    return (await version.output()).success;
  } catch {
    return false;
  }
}
