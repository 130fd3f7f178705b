/**
 * @file Pickles, read without running anything. A pickle is a program for a stack machine, whose
 * instructions make Python's own values and call what the program names; a file that `torch.save`
 * wrote needs a handful of functions. Here the machine knows plain values, and of what has a name
 * only what its caller hands in; whatever else a file names is an error that says what it was
 * (Python's Lib/pickletools.py has the instructions, protocols 0 to 5; PEP 307, PEP 3154, PEP 574).
 *
 * | Python           | here                                       |
 * |------------------|--------------------------------------------|
 * | None, bool       | null, boolean                              |
 * | int              | number, bigint beyond ±(2⁵³ − 1)           |
 * | float, str       | number, string                             |
 * | bytes, bytearray | Uint8Array, a copy                         |
 * | tuple            | {@link PickleTuple}                        |
 * | list, dict       | array, Map                                 |
 * | a name           | {@link PickleGlobal}, as it was handed in  |
 * | REDUCE           | whatever that global's `call` returns      |
 *
 * The machine has no recursion, takes memory in proportion to the bytes that it has read, and stops
 * after a fixed number of instructions; items of lists and tuples that are handed to a call count as
 * instructions, and are no more than the bytes so far: a list is stored once and can be named often.
 * Its values may contain themselves, as Python's may.
 */

import { FormatError } from "../errors.ts";
import { quoted } from "./archive_path.ts";

/** A tuple: frozen, unlike a list. */
export interface PickleTuple {
  readonly tuple: readonly unknown[];
}

/** Something that a pickle may name. */
export interface PickleGlobal {
  /** As Python has it: "collections.OrderedDict". */
  readonly name: string;
  /**
   * What it gives for arguments; left out where it may be named, and not called.
   *
   * @throws {FormatError} where the arguments are not those of such a call.
   */
  readonly call?: (args: readonly unknown[]) => unknown;
  /** Whether what it gives may be handed further state, which is dropped (BUILD). */
  readonly takesState?: boolean;
}

/** What a pickle may name, and how its messages begin. */
export interface PickleOptions {
  /** The file and the place in it, for error messages. */
  readonly source: string;
  /** All that it may name. */
  readonly globals: readonly PickleGlobal[];
  /**
   * What a persistent id stands for: an object that is kept outside of the pickle.
   *
   * @throws {FormatError} where there is no such object.
   */
  readonly persistentLoad?: (id: unknown) => unknown;
  /** The most instructions that are followed, items of arguments counted as such; 1,000,000. */
  readonly maxInstructions?: number;
}

/** What a pickle holds. */
export interface PickleContent {
  readonly value: unknown;
  /** How many bytes it takes; others may follow. */
  readonly length: number;
}

/** Whether a value of a pickle is a tuple. */
export function isTuple(value: unknown): value is PickleTuple {
  return typeof value === "object" && value !== null && Object.hasOwn(value, "tuple");
}

/** The items of a tuple or a list; undefined for anything else. */
export function pickleItems(value: unknown): readonly unknown[] | undefined {
  return isTuple(value) ? value.tuple : Array.isArray(value) ? value : undefined;
}

/** `collections.OrderedDict`, of nothing or, as Python 2 writes it, of pairs: a Map. */
export const orderedDictionary: PickleGlobal = {
  name: "collections.OrderedDict",
  takesState: true,
  call(args) {
    const pairs = args.length === 0 ? [] : args.length === 1 ? pickleItems(args[0]) : undefined;
    const entries = pairs?.map((pair) => pickleItems(pair));
    if (!entries?.every((entry) => entry?.length === 2 && isHashable(entry[0]))) {
      throw new FormatError("collections.OrderedDict is called with something else than pairs");
    }
    return new Map(entries as [unknown, unknown][]);
  },
};

/**
 * Reads the pickle that bytes begin with.
 *
 * @param bytes the pickle and what follows it
 * @param options what it may name, and how messages begin
 * @throws {FormatError} where it is damaged or cut short, needs an instruction that this machine has
 * not, or names what it was not handed: the message has that name.
 *
 * @example
 * ```ts
 * import { assertEquals, assertThrows } from "@std/assert";
 * import { FormatError, readPickle } from "vapo";
 * const pickle = (text: string) => new TextEncoder().encode(text);
 * const options = { source: "x.pkl", globals: [] };
 * assertEquals(readPickle(pickle("(I1\nI2\nl."), options).value, [1, 2]);
 * const hostile = pickle("cposix\nsystem\n(S'ls'\ntR.");
 * assertThrows(() => readPickle(hostile, options), FormatError, "posix.system");
 * ```
 */
export function readPickle(bytes: Uint8Array, options: PickleOptions): PickleContent {
  const content = readPickleSoFar(bytes, options);
  if (content) return content;
  throw new FormatError(
    `${options.source} ends at byte ${bytes.length} of its pickle; expected more of it: it is cut short or damaged, download it again`,
  );
}

/**
 * Reads the pickle that bytes begin with, or finds that they end before it does: then the caller
 * may try again with more. See {@link readPickle}.
 *
 * @throws {FormatError} where what is there is damaged or refused.
 */
export function readPickleSoFar(
  bytes: Uint8Array,
  options: PickleOptions,
): PickleContent | undefined {
  const machine = newMachine(bytes, options);
  try {
    return run(machine);
  } catch (error) {
    if (error === outOfBytes) return undefined;
    if (!(error instanceof FormatError) || error.message.startsWith(options.source)) throw error;
    return refuse(machine, error.message);
  }
}

// The machine

/** What an instruction works on. */
interface Machine {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly options: PickleOptions;
  readonly globals: ReadonlyMap<string, PickleGlobal>;
  /** Where the next byte is. */
  at: number;
  /** Where the current instruction is. */
  start: number;
  readonly stack: unknown[];
  /** The heights of the stack at each MARK that is open. */
  readonly marks: number[];
  readonly memo: Map<number, unknown>;
  /** How many instructions there have been, items of arguments counted as such. */
  count: number;
  readonly maxCount: number;
  /** How many items calls have been handed. */
  handed: number;
  /** What made the objects that take state. */
  readonly makers: Map<unknown, PickleGlobal>;
}

/** Thrown where the bytes end in the middle of an instruction. */
const outOfBytes = Symbol("out of bytes");

function newMachine(bytes: Uint8Array, options: PickleOptions): Machine {
  return {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    options,
    globals: new Map(options.globals.map((each) => [each.name, each])),
    at: 0,
    start: 0,
    stack: [],
    marks: [],
    memo: new Map(),
    count: 0,
    maxCount: options.maxInstructions ?? 1_000_000,
    handed: 0,
    makers: new Map(),
  };
}

function run(machine: Machine): PickleContent {
  for (;;) {
    machine.start = machine.at;
    spend(machine, 1);
    const code = uint(machine, 1);
    if (code === STOP) return { value: pop(machine), length: machine.at };
    const instruction = instructions.get(code);
    if (!instruction) refuse(machine, `there is no instruction ${hexadecimal(code)} in pickles`);
    instruction(machine);
  }
}

/** Counts instructions, or what takes as long. */
function spend(machine: Machine, count: number): void {
  machine.count += count;
  if (machine.count > machine.maxCount) {
    refuse(machine, `it is longer than ${machine.maxCount} instructions`);
  }
}

function hexadecimal(byte: number): string {
  return `0x${byte.toString(16).padStart(2, "0")}`;
}

/** Ends the reading with one line. */
function refuse(machine: Machine, reason: string): never {
  throw new FormatError(
    `${machine.options.source}: ${reason}, at byte ${machine.start} of its pickle; expected a plain one: it is damaged or another format, download it again`,
  );
}

/** Ends the reading where the pickle would run something. */
function refuseCall({ options, start }: Machine, name: string): never {
  const known = options.globals.map(({ name }) => name);
  const few = known.length > 3 ? `${known.slice(0, 3).join(", ")}, …` : known.join(", ");
  throw new FormatError(
    `${options.source}: its pickle calls or names ${
      quoted(name).slice(1, -1)
    } at byte ${start}; expected nothing but plain values${
      few && ` and ${few}`
    }: do not trust this file, or write it again with tensors alone (torch.save(model.state_dict(), …))`,
  );
}

// Bytes

/** Passes over so many bytes that have to be there; returns where they begin. */
function take(machine: Machine, length: number): number {
  const start = machine.at;
  if (length > machine.bytes.length - start) throw outOfBytes;
  machine.at += length;
  return start;
}

/** An unsigned little-endian number of 1, 2, 4 or 8 bytes. */
function uint(machine: Machine, length: 1 | 2 | 4 | 8): number {
  const at = take(machine, length);
  const { view } = machine;
  if (length === 1) return view.getUint8(at);
  if (length === 2) return view.getUint16(at, true);
  if (length === 4) return view.getUint32(at, true);
  return Number(view.getBigUint64(at, true));
}

function counted(machine: Machine, lengthBytes: 1 | 4 | 8): Uint8Array {
  const length = uint(machine, lengthBytes);
  if (length > Number.MAX_SAFE_INTEGER) refuse(machine, `it claims ${length} bytes of text`);
  const at = take(machine, length);
  return machine.bytes.subarray(at, at + length);
}

const newline = 0x0a;
/** Of numbers and names, which are short. */
const maxLineLength = 1024;

/** The bytes up to a newline, which is passed over. */
function line(machine: Machine, maxLength = maxLineLength): Uint8Array {
  const start = machine.at;
  const end = machine.bytes.indexOf(newline, start);
  const length = (end < 0 ? machine.bytes.length : end) - start;
  if (length > maxLength) {
    refuse(machine, `it has a line of more than ${maxLength} characters`);
  }
  if (end < 0) throw outOfBytes;
  machine.at = end + 1;
  return machine.bytes.subarray(start, end);
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function utf8(machine: Machine, bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return refuse(machine, "it has text that is not UTF-8");
  }
}

/** The text of a line that holds a number, which is ASCII. */
function numberLine(machine: Machine, pattern: RegExp): string {
  const text = String.fromCharCode(...line(machine)).trim();
  return pattern.test(text) ? text : refuse(machine, `it has ${quoted(text)} for a number`);
}

// Stack and memo

function pop(machine: Machine): unknown {
  const { stack, marks } = machine;
  if (stack.length <= (marks.at(-1) ?? 0)) refuse(machine, "it takes from an empty stack");
  return stack.pop();
}

/** The uppermost value, which stays. */
function top(machine: Machine): unknown {
  const value = pop(machine);
  machine.stack.push(value);
  return value;
}

/** What was put on the stack since the last MARK, both taken off. */
function popMark(machine: Machine): unknown[] {
  const height = machine.marks.pop();
  if (height === undefined) refuse(machine, "it takes from the last mark, and there is none");
  return machine.stack.splice(height);
}

function popTuple(machine: Machine, length: number): PickleTuple {
  const items = Array.from({ length }, () => pop(machine));
  return tupleOf(items.reverse());
}

function tupleOf(items: unknown[]): PickleTuple {
  return Object.freeze({ tuple: Object.freeze(items) });
}

function store({ memo }: Machine, index: number, value: unknown): void {
  memo.set(index, value);
}

function recall(machine: Machine, index: number): unknown {
  if (!machine.memo.has(index)) refuse(machine, `it recalls value ${index}, and stored none there`);
  return machine.memo.get(index);
}

// Values

/** Longer whole numbers than any file has a use for take time that grows with their square. */
const maxIntegerBytes = 255;

/** A whole number in two's complement, little-endian. */
function integer(machine: Machine, bytes: Uint8Array): number | bigint {
  if (bytes.length > maxIntegerBytes) {
    refuse(machine, `it has a whole number of ${bytes.length} bytes`);
  }
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
  return small(BigInt.asIntN(8 * bytes.length, value));
}

function small(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function decimalInteger(machine: Machine): number | bigint {
  return small(BigInt(numberLine(machine, /^-?\d+L?$/).replace("L", "")));
}

const floatPattern = /^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf|nan)$/;

function decimalFloat(machine: Machine): number {
  const text = numberLine(machine, floatPattern);
  return Number(text.replace("inf", "Infinity").replace(/.*nan/, "NaN"));
}

/** A string of protocol 0 as Python 2 writes it: in quotes, with escapes. */
function quotedString(machine: Machine): string {
  const text = utf8(machine, line(machine, Infinity)).trim();
  const inside = /^'(.*)'$|^"(.*)"$/s.exec(text);
  if (!inside) return refuse(machine, "it has a string without its quotes");
  const escapes: Record<string, string> = { n: "\n", r: "\r", t: "\t" };
  return (inside[1] ?? inside[2]).replace(
    /\\(x[0-9a-f]{2}|.)/gi,
    (_, escape: string) =>
      escape.length === 3
        ? String.fromCharCode(parseInt(escape.slice(1), 16))
        : escapes[escape] ?? escape,
  );
}

/** Text of protocol 0: Latin-1, with \uXXXX and \UXXXXXXXX for the rest. */
function escapedText(machine: Machine): string {
  const text = new TextDecoder("latin1").decode(line(machine, Infinity));
  return text.replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (_, short, long) => {
    const code = parseInt(short ?? long, 16);
    if (code > 0x10ffff) refuse(machine, "it has an impossible character");
    return String.fromCodePoint(code);
  });
}

function isHashable(key: unknown): boolean {
  return !Array.isArray(key) && !(key instanceof Map);
}

/** Puts pairs into the dictionary on top of the stack. */
function setItems(machine: Machine, items: readonly unknown[]): void {
  const target = top(machine);
  if (!(target instanceof Map)) return refuse(machine, "it puts pairs into what is no dictionary");
  fill(machine, target, items);
}

function fill(machine: Machine, target: Map<unknown, unknown>, items: readonly unknown[]): void {
  if (items.length % 2 !== 0) refuse(machine, "it has a key without a value");
  for (let i = 0; i < items.length; i += 2) {
    if (!isHashable(items[i])) refuse(machine, "it has a list or a dictionary for a key");
    target.set(items[i], items[i + 1]);
  }
}

/** Puts items at the end of the list on top of the stack. */
function appendItems(machine: Machine, items: readonly unknown[]): void {
  const target = top(machine);
  if (!Array.isArray(target)) return refuse(machine, "it puts items into what is no list");
  for (const item of items) target.push(item);
}

function dictionaryOf(machine: Machine, items: readonly unknown[]): Map<unknown, unknown> {
  const map = new Map();
  fill(machine, map, items);
  return map;
}

// Names and calls

function findGlobal(machine: Machine, module: unknown, name: unknown): PickleGlobal {
  if (typeof module !== "string" || typeof name !== "string") {
    refuse(machine, "it names something by what is no text");
  }
  const full = `${module}.${name}`;
  return machine.globals.get(full) ?? refuseCall(machine, full);
}

function namedByLines(machine: Machine): PickleGlobal {
  const module = utf8(machine, line(machine)), name = utf8(machine, line(machine));
  return findGlobal(machine, module, name);
}

function namedByStack(machine: Machine): PickleGlobal {
  const name = pop(machine), module = pop(machine);
  return findGlobal(machine, module, name);
}

/** The name of what a pickle would call, for the message. */
function nameOf(machine: Machine, value: unknown): string {
  const known = [...machine.globals.values()].find((each) => each === value);
  return known?.name ?? "a value that is no function";
}

/** callable(*args). */
function reduce(machine: Machine): unknown {
  const args = pop(machine), callable = pop(machine);
  const name = nameOf(machine, callable);
  const { call, takesState } = machine.globals.get(name) ?? {};
  if (!call) return refuseCall(machine, name);
  if (!isTuple(args)) return refuse(machine, `it calls ${name} with what is no tuple`);
  spendItems(machine, args.tuple);
  const value = call(args.tuple);
  if (takesState && typeof value === "object") {
    machine.makers.set(value, machine.globals.get(name)!);
  }
  return value;
}

/**
 * Counts a call's arguments and their items, which it may copy: a list of the memo, named in two
 * bytes, would become another of its length with each call.
 */
function spendItems(machine: Machine, args: readonly unknown[]): void {
  let items = args.length;
  for (const arg of args) items += pickleItems(arg)?.length ?? 0;
  spend(machine, items);
  machine.handed += items;
  if (machine.handed > machine.at) {
    refuse(machine, `it hands ${machine.handed} items to calls in ${machine.at} bytes`);
  }
}

/** object.__setstate__(state): dropped where the object's maker allows it. */
function build(machine: Machine): void {
  pop(machine);
  const target = top(machine);
  if (!machine.makers.has(target)) refuseCall(machine, "__setstate__ of what takes no state");
}

/** The instructions that make an instance of a class, whatever its name. */
function refuseInstance(machine: Machine, depth: number): never {
  const { stack } = machine;
  return refuseCall(machine, `${nameOf(machine, stack.at(-depth))}.__new__`);
}

function persistent(machine: Machine, id: unknown): unknown {
  const { persistentLoad } = machine.options;
  if (!persistentLoad) refuse(machine, "it has the id of an object outside of it");
  return persistentLoad(id);
}

// Instructions

type Instruction = (machine: Machine) => void;

const STOP = 0x2e;

/** An instruction that puts a value on the stack. */
function pushes(value: (machine: Machine) => unknown): Instruction {
  return (machine) => {
    machine.stack.push(value(machine));
  };
}

/** By the character that stands for it in a file. */
const plainInstructions: Record<string, Instruction> = {
  // Constants and numbers
  "N": pushes(() => null), // NONE
  "\x88": pushes(() => true), // NEWTRUE
  "\x89": pushes(() => false), // NEWFALSE
  "I": pushes((m) => { // INT, which Python 2 writes truth values with
    const at = m.at;
    const text = String.fromCharCode(...line(m));
    if (text === "00" || text === "01") return text === "01";
    m.at = at;
    return decimalInteger(m);
  }),
  "L": pushes(decimalInteger), // LONG
  "J": pushes((m) => uint(m, 4) | 0), // BININT
  "K": pushes((m) => uint(m, 1)), // BININT1
  "M": pushes((m) => uint(m, 2)), // BININT2
  "\x8a": pushes((m) => integer(m, counted(m, 1))), // LONG1
  "\x8b": pushes((m) => integer(m, counted(m, 4))), // LONG4
  "F": pushes(decimalFloat), // FLOAT
  "G": pushes((m) => m.view.getFloat64(take(m, 8))), // BINFLOAT, big-endian

  // Text and bytes
  "S": pushes(quotedString), // STRING
  "V": pushes(escapedText), // UNICODE
  "T": pushes((m) => utf8(m, counted(m, 4))), // BINSTRING of Python 2
  "U": pushes((m) => utf8(m, counted(m, 1))), // SHORT_BINSTRING of Python 2
  "X": pushes((m) => utf8(m, counted(m, 4))), // BINUNICODE
  "\x8c": pushes((m) => utf8(m, counted(m, 1))), // SHORT_BINUNICODE
  "\x8d": pushes((m) => utf8(m, counted(m, 8))), // BINUNICODE8
  "B": pushes((m) => counted(m, 4).slice()), // BINBYTES
  "C": pushes((m) => counted(m, 1).slice()), // SHORT_BINBYTES
  "\x8e": pushes((m) => counted(m, 8).slice()), // BINBYTES8
  "\x96": pushes((m) => counted(m, 8).slice()), // BYTEARRAY8

  // Tuples, lists, dictionaries
  ")": pushes(() => tupleOf([])), // EMPTY_TUPLE
  "\x85": pushes((m) => popTuple(m, 1)), // TUPLE1
  "\x86": pushes((m) => popTuple(m, 2)), // TUPLE2
  "\x87": pushes((m) => popTuple(m, 3)), // TUPLE3
  "t": pushes((m) => tupleOf(popMark(m))), // TUPLE
  "]": pushes(() => []), // EMPTY_LIST
  "l": pushes(popMark), // LIST
  "a": (m) => { // APPEND
    appendItems(m, [pop(m)]);
  },
  "e": (m) => { // APPENDS
    appendItems(m, popMark(m));
  },
  "}": pushes(() => new Map()), // EMPTY_DICT
  "d": pushes((m) => dictionaryOf(m, popMark(m))), // DICT
  "s": (m) => { // SETITEM
    const value = pop(m), key = pop(m);
    setItems(m, [key, value]);
  },
  "u": (m) => { // SETITEMS
    setItems(m, popMark(m));
  },

  // The stack and the memo
  "(": (m) => { // MARK
    m.marks.push(m.stack.length);
  },
  "0": (m) => { // POP, which takes a mark too where that is uppermost
    if (m.marks.at(-1) === m.stack.length) m.marks.pop();
    else pop(m);
  },
  "1": (m) => { // POP_MARK
    popMark(m);
  },
  "2": pushes(top), // DUP
  "g": pushes((m) => recall(m, Number(numberLine(m, /^\d+$/)))), // GET
  "h": pushes((m) => recall(m, uint(m, 1))), // BINGET
  "j": pushes((m) => recall(m, uint(m, 4))), // LONG_BINGET
  "p": (m) => { // PUT
    store(m, Number(numberLine(m, /^\d+$/)), top(m));
  },
  "q": (m) => { // BINPUT
    store(m, uint(m, 1), top(m));
  },
  "r": (m) => { // LONG_BINPUT
    store(m, uint(m, 4), top(m));
  },
  "\x94": (m) => { // MEMOIZE
    store(m, m.memo.size, top(m));
  },

  // The file
  "\x80": (m) => { // PROTO
    const version = uint(m, 1);
    if (version > 5) refuse(m, `it is of protocol ${version}, and 5 is the last`);
  },
  "\x95": (m) => { // FRAME: so many bytes are there, and belong together
    const length = uint(m, 8);
    take(m, length);
    m.at -= length;
  },

  // Names and calls
  "c": pushes(namedByLines), // GLOBAL
  "\x93": pushes(namedByStack), // STACK_GLOBAL
  "R": pushes(reduce), // REDUCE
  "b": build, // BUILD
  "P": pushes((m) => persistent(m, utf8(m, line(m)))), // PERSID
  "Q": pushes((m) => persistent(m, pop(m))), // BINPERSID
};

/** Instructions that are known and have no place here. */
const refusedInstructions: Record<string, Instruction> = {
  "i": (m) => { // INST
    const { name } = namedByLines(m);
    refuseCall(m, `${name}.__new__`);
  },
  "o": (m) => { // OBJ
    const first = popMark(m)[0];
    refuseCall(m, `${nameOf(m, first)}.__new__`);
  },
  "\x81": (m) => refuseInstance(m, 2), // NEWOBJ
  "\x92": (m) => refuseInstance(m, 3), // NEWOBJ_EX
  "\x82": (m) => refuseCall(m, `extension ${uint(m, 1)} of copyreg`), // EXT1
  "\x83": (m) => refuseCall(m, `extension ${uint(m, 2)} of copyreg`), // EXT2
  "\x84": (m) => refuseCall(m, `extension ${uint(m, 4)} of copyreg`), // EXT4
  "\x8f": (m) => refuse(m, "it has a set"), // EMPTY_SET
  "\x90": (m) => refuse(m, "it has a set"), // ADDITEMS
  "\x91": (m) => refuse(m, "it has a frozenset"), // FROZENSET
  "\x97": (m) => refuse(m, "it has a buffer outside of it"), // NEXT_BUFFER
  "\x98": (m) => refuse(m, "it has a buffer outside of it"), // READONLY_BUFFER
};

const instructions: ReadonlyMap<number, Instruction> = new Map(
  Object.entries({ ...plainInstructions, ...refusedInstructions })
    .map(([character, instruction]) => [character.charCodeAt(0), instruction]),
);
