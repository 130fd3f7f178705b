import { assert, assertEquals, assertRejects } from "@std/assert";
import { createHash } from "node:crypto";
import { downloadFiles } from "../../../cli/data/download.ts";
import { verifyFiles } from "../../../cli/data/verify.ts";
import type { OfficialFile } from "../../../core/data/official_files.ts";
import { VapoError } from "../../../core/errors.ts";
import { inTemporaryDirectory } from "../program.ts";
import { noise, prepared, quietWork } from "./source_files.ts";

const content = noise(300_000);

const file: OfficialFile = {
  name: "set.tar.gz",
  url: "https://example.org/set.tar.gz",
  bytes: content.length,
  md5: createHash("md5").update(content).digest("hex"),
};

/** What a server does with a request for a file. */
type Answer = (request: Request, range: number) => Response;

/** Runs a test beside a server; `requests` are the first bytes that were asked for. */
async function withServer(
  answer: Answer,
  test: (address: (url: string) => string, requests: number[]) => Promise<void>,
): Promise<void> {
  const requests: number[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const range = Number(/^bytes=(\d+)-$/.exec(request.headers.get("Range") ?? "")?.[1] ?? 0);
    requests.push(range);
    return answer(request, range);
  });
  try {
    const { port } = server.addr;
    await test((url) => `http://127.0.0.1:${port}/${new URL(url).pathname}`, requests);
  } finally {
    await server.shutdown();
  }
}

/** A server that knows of ranges. */
const ranged: Answer = (_request, first) => {
  if (first === 0) return new Response(content);
  const headers = { "Content-Range": `bytes ${first}-${content.length - 1}/${content.length}` };
  return new Response(content.subarray(first), { status: 206, headers });
};

const whole: Answer = () => new Response(content);

/** Sends the start of what another answer would, though it promises all. */
const broken = (answer: Answer, length: number): Answer => (request, first) => {
  const { status, headers } = answer(request, first);
  headers.set("Content-Length", String(content.length - first));
  const body = new Blob([content.subarray(first, first + length)]).stream();
  return new Response(body, { status, headers });
};

const names = async (directory: string) =>
  (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name).sort();

Deno.test("a file is fetched, checked and named; what is there is not fetched again", () =>
  inTemporaryDirectory((cwd) =>
    withServer(whole, async (address, requests) => {
      await downloadFiles([file], `${cwd}/new`, quietWork(), address);
      assertEquals(await Deno.readFile(`${cwd}/new/${file.name}`), content);
      assertEquals(await names(`${cwd}/new`), [file.name]);
      await downloadFiles([file], `${cwd}/new`, quietWork(), address);
      assertEquals(requests, [0]);
    })
  ));

Deno.test("broken off, it goes on where it was, or anew where the server knows no ranges", () =>
  inTemporaryDirectory(async (cwd) => {
    for (const [answer, resumed] of [[ranged, true], [whole, false]] as const) {
      const directory = `${cwd}/${resumed}`;
      await withServer(broken(answer, 100_000), async (address) => {
        await assertRejects(
          () => downloadFiles([file], directory, quietWork(), address),
          VapoError,
          "the same command goes on where this one stopped",
        );
      });
      assertEquals(await names(directory), [`${file.name}.part`]);
      const { size } = await Deno.stat(`${directory}/${file.name}.part`);
      assertEquals(size, 100_000);
      await withServer(answer, async (address, requests) => {
        await downloadFiles([file], directory, quietWork(), address);
        assertEquals(requests, [100_000]);
      });
      assertEquals(await Deno.readFile(`${directory}/${file.name}`), content);
    }
  }));

Deno.test("what is not the official file is removed and named", () =>
  inTemporaryDirectory(async (cwd) => {
    const flipped = content.slice();
    flipped[1000] ^= 1;
    for (const bytes of [flipped, new Uint8Array(content.length + 70_000)]) {
      await withServer(() => new Response(bytes), async (address) => {
        await assertRejects(
          () => downloadFiles([file], cwd, quietWork(), address),
          VapoError,
          `https://example.org/set.tar.gz sent `,
        );
      });
      assertEquals(await names(cwd), []);
    }
    // Shorter than it should be, it may be the start of it.
    await withServer(() => new Response(content.subarray(0, 10)), async (address) => {
      await assertRejects(
        () => downloadFiles([file], cwd, quietWork(), address),
        VapoError,
        "it ended after 10 of 300000 bytes",
      );
    });
  }));

Deno.test("a server that refuses, or another part than was asked for, is an error", () =>
  inTemporaryDirectory(async (cwd) => {
    await withServer(() => new Response("gone", { status: 404 }), async (address) => {
      await assertRejects(
        () => downloadFiles([file], cwd, quietWork(), address),
        VapoError,
        "the server answers 404",
      );
    });
    await Deno.writeFile(`${cwd}/${file.name}.part`, content.subarray(0, 1000));
    const headers = { "Content-Range": `bytes 5-${content.length - 1}/${content.length}` };
    const other = () => new Response(content.subarray(5), { status: 206, headers });
    await withServer(other, async (address) => {
      await assertRejects(
        () => downloadFiles([file], cwd, quietWork(), address),
        VapoError,
        "it sent another part than was asked for",
      );
    });
    const unsatisfiable: Answer = (_request, first) =>
      first > 0 ? new Response(null, { status: 416 }) : new Response(content);
    await withServer(unsatisfiable, async (address, requests) => {
      await downloadFiles([file], cwd, quietWork(), address);
      assertEquals(requests, [1000, 0]);
    });
    await assertRejects(
      () => downloadFiles([{ ...file, name: "b" }], cwd, quietWork(), () => "http://127.0.0.1:1/b"),
      VapoError,
      "cannot fetch http://127.0.0.1:1/b",
    );
  }));

Deno.test("asked to stop, it leaves what it has", () =>
  inTemporaryDirectory((cwd) =>
    withServer(broken(ranged, 200_000), async (address) => {
      const controller = new AbortController();
      const work = {
        ...quietWork(),
        signal: controller.signal,
        progress: (_what: string, done: number) => done > 0 && controller.abort(),
      };
      await assertRejects(() => downloadFiles([file], cwd, work, address), DOMException);
      assertEquals(await names(cwd), [`${file.name}.part`]);
    })
  ));

Deno.test("the command's own way: only official addresses, to the set's directory", () =>
  inTemporaryDirectory(async (cwd) => {
    const asked: string[] = [];
    await withServer(() => new Response("not here", { status: 503 }), async (address) => {
      const directory = `${cwd}/out`;
      await assertRejects(
        () =>
          prepared({
            name: "cifar10",
            directory,
            download: true,
            address: (url) => {
              asked.push(url);
              return address(url);
            },
          }),
        VapoError,
        "the server answers 503",
      );
      assertEquals(asked, ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"]);
      assertEquals(await names(directory), [".download", ".lock"]);
      // The directory is still one that a set can go to.
      const source = "/nowhere/cifar";
      await assertRejects(
        () => prepared({ name: "cifar10", directory, source }),
        VapoError,
        source,
      );
    });
  }));

Deno.test("MD5 sums are those of RFC 1321", () =>
  inTemporaryDirectory(async (cwd) => {
    await Deno.writeTextFile(`${cwd}/abc`, "abc");
    const claim = (md5: string) => ({
      path: `${cwd}/abc`,
      official: { name: "abc", url: "https://example.org/abc", bytes: 3, md5 },
    });
    const notices: string[] = [];
    await verifyFiles([claim("900150983cd24fb0d6963f7d28e17f72")], quietWork(notices));
    await assertRejects(
      () => verifyFiles([claim("d41d8cd98f00b204e9800998ecf8427e")], quietWork()),
      VapoError,
      `${cwd}/abc has the MD5 sum 900150983cd24fb0d6963f7d28e17f72; expected ` +
        "d41d8cd98f00b204e9800998ecf8427e: it is damaged or another file; download it again " +
        "from https://example.org/abc, or take it as it is by --unverified",
    );
    assert(notices.length === 0);
  }));
