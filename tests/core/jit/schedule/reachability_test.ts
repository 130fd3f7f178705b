import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { Reachability } from "../../../../core/jit/schedule/reachability.ts";

/** The pairs that are connected by some path, by repeated squaring of the relation. */
function closure(size: number, edges: readonly (readonly [number, number])[]): Set<string> {
  const reached = new Set(edges.map(([from, to]) => `${from} ${to}`));
  for (let via = 0; via < size; via++) {
    for (let from = 0; from < size; from++) {
      for (let to = 0; to < size; to++) {
        if (reached.has(`${from} ${via}`) && reached.has(`${via} ${to}`)) {
          reached.add(`${from} ${to}`);
        }
      }
    }
  }
  return reached;
}

const SIZE = 40; // more than the bits of a word

Deno.test("what reaches what is the transitive closure, after merges too", () => {
  const pairs = fc.array(fc.tuple(fc.nat(SIZE - 1), fc.nat(SIZE - 1)), { maxLength: 60 });
  fc.assert(
    fc.property(pairs, pairs, (connections, merges) => {
      const reach = new Reachability(SIZE);
      for (let i = 0; i < SIZE; i++) reach.add();
      let edges: [number, number][] = [];
      for (const [a, b] of connections) {
        const edge: [number, number] = [Math.min(a, b), Math.max(a, b)];
        if (a === b) continue;
        reach.connect(...edge);
        edges.push(edge);
      }
      const gone = new Set<number>();
      for (const [a, b] of merges.slice(0, 12)) {
        if (a === b || gone.has(a) || gone.has(b)) continue;
        const before = closure(SIZE, edges);
        const between = Array.from({ length: SIZE }, (_, i) => i).some((i) =>
          (before.has(`${a} ${i}`) && before.has(`${i} ${b}`)) ||
          (before.has(`${b} ${i}`) && before.has(`${i} ${a}`))
        );
        if (between) continue;
        reach.merge(a, b);
        gone.add(b);
        const name = (unit: number) => unit === b ? a : unit;
        edges = edges.map(([from, to]): [number, number] => [name(from), name(to)])
          .filter(([from, to]) => from !== to);
      }
      const expected = closure(SIZE, edges), found = new Set<string>();
      for (let from = 0; from < SIZE; from++) {
        for (let to = 0; to < SIZE; to++) if (reach.reaches(from, to)) found.add(`${from} ${to}`);
      }
      assertEquals(found, expected);
    }),
    { numRuns: 30, seed: 1 },
  );
});
