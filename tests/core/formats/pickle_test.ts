import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { FormatError } from "../../../core/errors.ts";
import {
  isTuple,
  orderedDictionary,
  type PickleGlobal,
  readPickle,
  readPickleSoFar,
} from "../../../core/formats/pickle.ts";
import { mutations } from "./mutations.ts";
import { bytesOf, recordedFiles } from "./torch_files.ts";

const options = { source: "x.pkl", globals: [orderedDictionary] };

/** Bytes of characters up to 255. */
function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function value(text: string): unknown {
  return readPickle(bytes(text), options).value;
}

function assertRefused(pickle: Uint8Array, reason: string, globals: PickleGlobal[] = []): void {
  const error = assertThrows(
    () => readPickle(pickle, { ...options, globals: [...options.globals, ...globals] }),
    FormatError,
    reason,
  );
  assert(/^x\.pkl.*; expected .*: ./.test(error.message), error.message);
  assert(!error.message.includes("\n") && error.message.length < 500, error.message);
}

/** Tuples as lists, dictionaries as lists of pairs: what an assertion can compare. */
function plain(value: unknown): unknown {
  if (isTuple(value)) return { tuple: value.tuple.map(plain) };
  if (Array.isArray(value)) return value.map(plain);
  if (value instanceof Map) return [...value].map(([key, each]) => [plain(key), plain(each)]);
  return value;
}

const tuple = (...items: unknown[]) => ({ tuple: items });
const held = [
  ["none", null],
  ["truth", [true, false]],
  ["whole", [0, 1, -1, 255, 256, 65535, 65536, -(2 ** 31), 2 ** 31 - 1, 2 ** 53 - 1]],
  ["long", [2n ** 53n, -(2n ** 53n), 2n ** 63n, -(2n ** 63n), 2n ** 80n + 1n]],
  ["float", [0.5, -1e300, 1e-7]],
  ["text", ["", "plain", "käse \u20ac \u{1f600}", "quotes \" and '", "line\nline\\"]],
  ["tuples", [tuple(), tuple(1), tuple(1, 2), tuple(1, 2, 3), tuple(1, 2, 3, 4)]],
  ["lists", [[], [1], [0, 1, 2, 3, 4]]],
  ["dictionaries", [[], [["a", [["b", 1]]]]]],
  ["ordered", [["z", 1], ["a", 2]]],
  ["shared", [["shared"], ["shared"]]],
];

for (const [name, base64] of Object.entries(recordedFiles.pickles)) {
  Deno.test(`Python's plain values, ${name}`, () => {
    const pickle = bytesOf(base64);
    const content = readPickle(pickle, options);
    assertEquals(plain(content.value), held);
    assertEquals(content.length, pickle.length);
    const map = content.value as Map<string, unknown[]>;
    assertStrictEquals(map.get("shared")![0], map.get("shared")![1]);
  });
}

Deno.test("a pickle ends at its STOP, whatever follows", () => {
  assertEquals(readPickle(bytes("K\x05.K\x06."), options), { value: 5, length: 3 });
});

Deno.test("what Python 2 and hand-written pickles have", () => {
  assertEquals(value("I01\n."), true);
  assertEquals(value("I00\n."), false);
  assertEquals(value("I-12\n."), -12);
  assertEquals(value("L123456789012345678901234567890L\n."), 123456789012345678901234567890n);
  assertEquals(value("F-1.5e3\n."), -1500);
  assertEquals(value("Fnan\n."), NaN);
  assertEquals(value("S'it\\'s \\x41\\n'\n."), "it's A\n");
  assertEquals(value("Vk\\u00e4se\n."), "käse");
  assertEquals(value("U\x03abc."), "abc");
  assertEquals(value("T\x03\0\0\0abc."), "abc");
  assertEquals(value("C\x02\xff\0."), Uint8Array.of(255, 0));
  assertEquals(value("\x8a\0."), 0);
  assertEquals(value("(I1\nI2\nd."), new Map([[1, 2]]));
  assertEquals(value("I1\n(I2\n1."), 1); // POP_MARK
  assertEquals(value("I1\n(0I2\n0."), 1); // POP of a mark, and of a value
  const python2 = "ccollections\nOrderedDict\n((l(lI1\naI2\naatR.";
  assertEquals(value(python2), new Map([[1, 2]]));
});

Deno.test("the state of an OrderedDict is dropped, any other is refused", () => {
  const dictionary = "ccollections\nOrderedDict\n)R";
  assertEquals(value(`${dictionary}}U\x09_metadataK\x01sb.`), new Map());
  assertRefused(bytes("}}b."), "__setstate__");
});

Deno.test("a value may hold itself", () => {
  const list = value("]q\0h\0a.") as unknown[];
  assertStrictEquals(list[0], list);
  const map = value("}q\0K\x01h\0s.") as Map<number, unknown>;
  assertStrictEquals(map.get(1), map);
});

Deno.test("a name that was handed in is called with its arguments, or only named", () => {
  const calls: unknown[] = [];
  const globals: PickleGlobal[] = [
    { name: "a.f", call: (args) => (calls.push(args), "made") },
    { name: "a.C" },
  ];
  const read = (text: string) => readPickle(bytes(text), { ...options, globals }).value;
  assertEquals(read("ca\nf\n(I1\nca\nC\ntR."), "made");
  assertEquals(calls, [[1, globals[1]]]);
  assertRefused(bytes("ca\nC\n)R."), "a.C", globals);
  assertRefused(bytes("ca\nf\n]R."), "a.f with what is no tuple", globals);
  assertRefused(bytes("ca\nf\n)\x81."), "a.f.__new__", globals);
  assertRefused(bytes("(ca\nf\no."), "a.f.__new__", globals);
  assertRefused(bytes("U\x03a.f)R."), "a value that is no function", globals);
  assertRefused(bytes("ca\nfg\n)R."), "a.fg", globals);
  assertRefused(bytes("c__main__\na.f\n."), "__main__.a.f", globals);
});

Deno.test("a persistent id is handed on, and refused where nobody takes it", () => {
  const persistentLoad = (id: unknown) => ["loaded", id];
  const read = (text: string) => readPickle(bytes(text), { ...options, persistentLoad }).value;
  assertEquals(read("K\x07Q."), ["loaded", 7]);
  assertEquals(read("Pid\n."), ["loaded", "id"]);
  assertRefused(bytes("K\x07Q."), "outside of it");
});

for (const [name, { file, word }] of Object.entries(recordedFiles.refused)) {
  if (!/bare|^[A-Z]|dotted/.test(name)) continue;
  Deno.test(`a pickle that calls something is refused with its name: ${name}`, () => {
    assertRefused(bytesOf(file), word);
  });
}

const damaged: [pickle: string, reason: string][] = [
  ["", "ends at byte 0"],
  ["K", "ends at byte 1"],
  ["]", "ends at byte 1"],
  ["X\xff\xff\xff\xffabc", "ends at byte 8"],
  ["\x8d\xff\xff\xff\xff\xff\xff\xff\xff.", "bytes of text"],
  ["\x95\xff\xff\xff\xff\0\0\0\0N.", "ends at byte 11"],
  ["\xff.", "no instruction 0xff"],
  ["\x80\x06N.", "protocol 6"],
  [".", "empty stack"],
  ["(.", "empty stack"],
  ["N(0a.", "empty stack"],
  ["(Nt0\x85.", "empty stack"],
  ["Nt.", "there is none"],
  ["h\x05.", "recalls value 5"],
  ["Na.", "empty stack"],
  ["NNa.", "no list"],
  ["NNNs.", "no dictionary"],
  ["}(Nu.", "a key without a value"],
  ["}]Ns.", "list or a dictionary for a key"],
  ["X\x01\0\0\0\xff.", "not UTF-8"],
  ["I1x\n.", '"1x" for a number'],
  ["I" + "9".repeat(2000) + "\n.", "a line of more than"],
  ["F1..5\n.", '"1..5" for a number'],
  ["Sabc\n.", "without its quotes"],
  ["V\\U00110000\n.", "impossible character"],
  ["\x8b\0\x01\0\0" + "\x01".repeat(256) + ".", "a whole number of 256 bytes"],
  ["\x8f.", "a set"],
  ["\x97.", "a buffer outside"],
  ["ccollections\nOrderedDict\n(I1\ntR.", "OrderedDict is called with something else"],
  ["I1\nI2\n\x93.", "by what is no text"],
];

Deno.test("damaged pickles are errors of one line that say where and what", () => {
  for (const [pickle, reason] of damaged) {
    assertRefused(bytes(pickle), reason);
  }
});

Deno.test("a pickle of more instructions than allowed is refused", () => {
  const long = bytes("N0".repeat(1000) + "N.");
  readPickle(long, { ...options, maxInstructions: 2002 });
  assertThrows(() => readPickle(long, { ...options, maxInstructions: 2001 }), FormatError, "2001");
  const endless = bytes("]".repeat(1_500_000));
  assertRefused(endless, "longer than 1000000 instructions");
});

/** A list of n pairs. */
const pairs = (n: number) => "](" + "K\x01K\x02\x86".repeat(n) + "e";

Deno.test("what a call copies counts: a short pickle cannot become large values", () => {
  const read = (n: number, maxInstructions: number) =>
    readPickle(bytes(`ccollections\nOrderedDict\n${pairs(n)}\x85R.`), {
      ...options,
      maxInstructions,
    });
  // 7 + 3n instructions, and a call with one argument of n items.
  read(3, 7 + 9 + 1 + 3);
  assertThrows(() => read(3, 7 + 9 + 1 + 2), FormatError, "longer than 19 instructions");
  // One list, and a dictionary of it with every seven bytes.
  const copies = `${pairs(1000)}q\0ccollections\nOrderedDict\nq\x01`;
  readPickle(bytes(`${copies}${"h\x01h\0\x85R0".repeat(5)}.`), options);
  assertRefused(bytes(`${copies}${"h\x01h\0\x85R0".repeat(6)}.`), "it hands 6006 items to calls");
});

Deno.test("each beginning of a pickle is known for one", () => {
  for (const base64 of Object.values(recordedFiles.pickles)) {
    const pickle = bytesOf(base64);
    for (let length = 0; length < pickle.length; length++) {
      assertEquals(readPickleSoFar(pickle.subarray(0, length), options), undefined);
      assertRefused(pickle.slice(0, length), `ends at byte ${length}`);
    }
    assert(readPickleSoFar(pickle, options));
  }
});

const settings = { seed: 20240722, numRuns: 3000 };

/** Reads anything: a value, or the one error that it may be. */
function readsOrRefuses(pickle: Uint8Array): boolean {
  try {
    const { length } = readPickle(pickle, options);
    assert(length <= pickle.length);
    return true;
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    assert(!error.message.includes("\n") && error.message.length < 500, error.message);
    return false;
  }
}

Deno.test("damaged pickles of plain values are read or refused", () => {
  let read = 0;
  const files = fc.constantFrom(...Object.values(recordedFiles.pickles).map(bytesOf));
  fc.assert(
    fc.property(files, mutations, (pickle, mutate) => {
      if (readsOrRefuses(mutate(pickle))) read++;
    }),
    settings,
  );
  assert(read > 300, `only ${read} of the damaged pickles got as far as a value`);
});

Deno.test("random instructions are read or refused", () => {
  const instruction = fc.constantFrom(
    ..."NIJKMLFGSVTUXBC)}](tlades u012gpqhjcRbPQio.".split(""),
    ..."\x80\x81\x82\x85\x86\x87\x88\x8a\x8b\x8c\x93\x94\x95\n\0\x01".split(""),
    ..."K\x01|q\0|h\0|ccollections\nOrderedDict\n|)R|(K\x01K\x02t|](".split("|"),
  );
  const programs = fc.array(instruction, { maxLength: 30 }).map((each) =>
    bytes(each.join("") + ".")
  );
  let read = 0;
  fc.assert(
    fc.property(programs, (pickle) => {
      if (readsOrRefuses(pickle)) read++;
    }),
    { ...settings, numRuns: 10_000 },
  );
  assert(read > 100, `only ${read} of the random programs got as far as a value`);
});
