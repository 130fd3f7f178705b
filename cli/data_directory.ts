/**
 * @file A prepared data set's files in a directory.
 */
import { join } from "@std/path";
import type { DataFiles } from "../core/data/prepared_set.ts";
import { withFileErrors } from "./file_errors.ts";

/**
 * The files of a directory.
 *
 * @param directory where they are
 * @param location how it is called in messages
 */
export function dataDirectory(directory: string, location = directory): DataFiles {
  return {
    location,
    read: (name) =>
      withFileErrors("read", `${location}/${name}`, async () => {
        try {
          return await Deno.readFile(join(directory, name));
        } catch (error) {
          if (error instanceof Deno.errors.NotFound) return null;
          throw error;
        }
      }),
  };
}
