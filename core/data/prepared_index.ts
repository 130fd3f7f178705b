/**
 * @file The index of a prepared data set, `index.json` beside its shards: what `vapo data` writes
 * and training reads. A shard is a file of images of bytes, [count, height, width, channels] without
 * a header; its labels, where there are any, are in a file beside it, [count, labelsPerImage].
 */
import { z } from "zod";

const count = z.int().min(0);
const side = z.int().min(1).max(65_536);

const shardSchema = z.strictObject({
  /** The name of the file with the images, in the index's directory. */
  file: z.string().regex(/^[\w.-]+$/),
  /** How many images it holds. */
  count: z.int().min(1),
  /** CRC-32 of the file. */
  crc32: z.int().min(0).max(0xffffffff),
  /** The file with the labels and its CRC-32; left out where there are none. */
  labels: z.strictObject({
    file: z.string().regex(/^[\w.-]+$/),
    crc32: z.int().min(0).max(0xffffffff),
  }).optional(),
});

/** The schema of `index.json`. */
export const preparedIndexSchema = z.strictObject({
  format: z.literal("vapo-images"),
  version: z.literal(1),
  /** The data set's name, as in `vapo data NAME`. */
  name: z.string().min(1),
  /** [height, width, channels] of every image. */
  shape: z.tuple([side, side, z.int().min(1).max(4)]),
  labelsPerImage: z.int().min(0).max(8),
  /** By name: train, test, validation. */
  splits: z.record(
    z.string().regex(/^[a-z]+$/),
    z.strictObject({
      count,
      /** Images that could not be decoded and were left out on the user's word. */
      skipped: count,
      shards: z.array(shardSchema),
    }),
  ),
  /** How it was made: what would have to be the same for the same bytes. */
  made: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
});

/** What `index.json` of a prepared data set says. */
export type PreparedIndex = z.infer<typeof preparedIndexSchema>;

/** A shard of a prepared data set. */
export type PreparedShard = z.infer<typeof shardSchema>;
