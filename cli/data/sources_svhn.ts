/** @file SVHN's cropped digits from their MAT-files, one a split. */
import { join } from "@std/path";
import { officialDatasets } from "../../core/data/official_files.ts";
import { readSvhn, svhnFiles, type SvhnPart } from "../../core/data/svhn.ts";
import { VapoError } from "../../core/errors.ts";
import { withFileErrors } from "../file_errors.ts";
import { isThere } from "../run_storage.ts";
import { shownPath } from "../user_paths.ts";
import type { SourceRequest } from "./data_sets.ts";
import type { ImageSource } from "./image_source.ts";
import { describeFiles, splitOfRecords } from "./sources_records.ts";
import { verifyFiles } from "./verify.ts";

/**
 * Finds the files.
 *
 * @throws {VapoError} where one is missing, unless some are there and `unverified`
 */
export async function svhnSource(
  { path: folder, unverified, extra }: SourceRequest,
): Promise<ImageSource> {
  const location = shownPath(folder!);
  const wanted: SvhnPart[] = extra ? ["train", "test", "extra"] : ["train", "test"];
  const found: { part: SvhnPart; path: string }[] = [];
  for (const part of wanted) {
    const path = join(folder!, svhnFiles[part]);
    if (await withFileErrors("open", shownPath(path), () => isThere(path))) {
      found.push({ part, path });
    } else if (!unverified) throw missing(location, part);
  }
  if (found.length === 0) throw missing(location, "train");
  return {
    location,
    shape: [32, 32, 3],
    labelsPerImage: 1,
    splits: found.map(({ part, path }) =>
      splitOfRecords(part, location, async () => {
        const shown = shownPath(path);
        return await readSvhn(
          await withFileErrors("read", shown, () => Deno.readFile(path)),
          shown,
        );
      })
    ),
    made: { files: await describeFiles(found.map(({ path }) => path)) },
    notices: [],
    verify: (work) =>
      verifyFiles(
        found.map(({ part, path }) => ({ path, official: officialDatasets.svhn.files[part][0] })),
        work,
      ),
    close() {},
  };
}

function missing(location: string, part: SvhnPart): VapoError {
  const { url } = officialDatasets.svhn.files[part][0];
  return new VapoError(
    `${location} has no ${svhnFiles[part]}: expected a folder with it, from ${url}; or take what ` +
      "is there by --unverified",
  );
}
