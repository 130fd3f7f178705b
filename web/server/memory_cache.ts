/**
 * @file Values that are kept as long as there is room, those that were not asked for longest dropped
 * first.
 */

/** A cache of bounded size. */
export interface MemoryCache<T> {
  get(key: string): T | undefined;
  set(key: string, value: T): void;
  delete(key: string): void;
  clear(): void;
  /** What all values take together, in units of `size`. */
  readonly used: number;
}

/**
 * Makes a cache.
 *
 * @param limit what all values may take together; a value that is larger is not kept
 * @param size what a value takes; one by default
 */
export function memoryCache<T>(
  limit: number,
  size: (value: T) => number = () => 1,
): MemoryCache<T> {
  const values = new Map<string, T>();
  let used = 0;
  const remove = (key: string) => {
    const value = values.get(key);
    if (value === undefined) return;
    used -= size(value);
    values.delete(key);
  };
  return {
    get(key) {
      const value = values.get(key);
      if (value !== undefined) {
        values.delete(key);
        values.set(key, value);
      }
      return value;
    },
    set(key, value) {
      remove(key);
      if (size(value) > limit) return;
      used += size(value);
      values.set(key, value);
      for (const oldest of values.keys()) {
        if (used <= limit) break;
        remove(oldest);
      }
    },
    delete: remove,
    clear() {
      values.clear();
      used = 0;
    },
    get used() {
      return used;
    },
  };
}
