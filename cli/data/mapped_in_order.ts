/**
 * @file Work on many things at once whose results come in the order of the things, however long each
 * takes. No more than a bounded number is under way or waits to be taken, so memory stays flat.
 */

/**
 * Maps what an iterable brings.
 *
 * @param items where from; the next one is asked for when there is room
 * @param limit how many are under way at once
 * @param work what is done with each; an error of it comes out in the item's turn
 */
export async function* mappedInOrder<Item, Result>(
  items: AsyncIterable<Item> | Iterable<Item>,
  limit: number,
  work: (item: Item) => Result | Promise<Result>,
): AsyncGenerator<Result> {
  const underWay: Promise<Result>[] = [];
  try {
    for await (const item of items) {
      const result = Promise.resolve(item).then(work);
      result.catch(() => {}); // it is heard of when its turn comes
      underWay.push(result);
      if (underWay.length >= limit) yield await underWay.shift()!;
    }
    while (underWay.length > 0) yield await underWay.shift()!;
  } finally {
    await Promise.allSettled(underWay);
  }
}
