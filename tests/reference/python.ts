/**
 * @file The Python that references are computed by, where there is one.
 */

/** A Python that has a module, as in "scipy.integrate"; undefined where there is none. */
export async function findPython(module: string): Promise<string | undefined> {
  for (const python of ["python3", "/usr/bin/python3"]) {
    try {
      const command = new Deno.Command(python, {
        args: ["-c", `import ${module}`],
        stdout: "null",
        stderr: "null",
      });
      if ((await command.output()).success) return python;
    } catch {
      // No such program.
    }
  }
}
