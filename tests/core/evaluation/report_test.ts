import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import {
  type EvaluationDocument,
  evaluationSchema,
  type MetricResult,
} from "../../../core/evaluation/document.ts";
import { renderReport, textSummary } from "../../../core/evaluation/report.ts";
import { formatMeasurement } from "../../../core/evaluation/report_numbers.ts";
import { elements, type PageElement, readPage, textOf } from "./html_page.ts";
import { sampleDocument, samplePictures } from "./sample_document.ts";

const page = renderReport(sampleDocument, samplePictures(), {
  version: "0.1.0",
  run: "runs/three",
});
const root = readPage(page);
const attribute = (name: string) => (element: PageElement) => element.attributes.get(name);
const withId = (id: string, within = root) =>
  elements(within).find((element) => element.attributes.get("id") === id)!;

/** The sample with one result alone, changed. */
function documentOf(...changes: Partial<MetricResult>[]): EvaluationDocument {
  const plain: MetricResult = {
    metric: "other",
    title: "Other",
    options: {},
    measurements: [],
    tables: [],
    pictures: [],
    notes: [],
    seconds: 1,
  };
  return { ...sampleDocument, results: changes.map((change) => ({ ...plain, ...change })) };
}

const rendered = (
  document: EvaluationDocument,
  pictures = new Map<string, string | Uint8Array>(),
) => readPage(renderReport(document, pictures));

Deno.test("the sample is an evaluation, and its report the same each time", () => {
  assertEquals(evaluationSchema.parse(sampleDocument), sampleDocument);
  const again = renderReport(sampleDocument, samplePictures(), {
    version: "0.1.0",
    run: "runs/three",
  });
  assertEquals(again, page);
});

Deno.test("the page asks for nothing from elsewhere and runs nothing", () => {
  const names = new Set(elements(root).map(({ name }) => name));
  for (const name of ["script", "link", "iframe", "object", "embed", "base", "form", "use"]) {
    assert(!names.has(name), name);
  }
  for (const element of elements(root)) {
    for (const [name, value] of element.attributes) {
      assert(!name.startsWith("on"), name);
      if (name === "src") assertMatch(value, /^data:image\/png;base64,[\w+/]+=*$/);
      if (name === "href") assertMatch(value, /^(#[\w-]+|https:\/\/(arxiv|doi)\.org\/|data:)/);
    }
  }
  const [style] = elements(root, "style");
  assert(!/url\(|@import|<|expression/.test(textOf(style)));
  const policy = elements(root, "meta").find((meta) =>
    meta.attributes.get("http-equiv") === "Content-Security-Policy"
  );
  assertMatch(policy!.attributes.get("content")!, /default-src 'none'.*img-src data:/);
});

Deno.test("the page says its language, its encoding and its title, and fits small screens", () => {
  assertEquals(elements(root, "html").map(attribute("lang")), ["en"]);
  const metas = elements(root, "meta");
  assertEquals(metas[0].attributes.get("charset"), "utf-8");
  assert(metas.some(({ attributes }) => attributes.get("name") === "viewport"));
  assertEquals(elements(root, "title").map(textOf), ["Evaluation of cifar10-unet-3"]);
});

Deno.test("identifiers are there once, and every link within the page leads somewhere", () => {
  const ids = elements(root).map(attribute("id")).filter((id) => id !== undefined);
  assertEquals(new Set(ids).size, ids.length);
  const targets = elements(root).flatMap(({ attributes }) => [
    ...(attributes.get("href")?.startsWith("#") ? [attributes.get("href")!.slice(1)] : []),
    ...(attributes.get("aria-labelledby")?.split(" ") ?? []),
  ]);
  assert(targets.length > 30);
  for (const target of targets) assert(ids.includes(target), target);
});

Deno.test("headings are in order, one of the first rank", () => {
  const ranks = elements(root).filter(({ name }) => /^h[1-6]$/.test(name))
    .map(({ name }) => Number(name[1]));
  assertEquals(ranks.filter((rank) => rank === 1).length, 1);
  ranks.reduce((before, rank) => {
    assert(rank <= before + 1, ranks.join());
    return rank;
  }, 0);
  const titles = elements(root, "h2").map(textOf);
  assertEquals(titles, [
    "Contents",
    "Summary",
    ...sampleDocument.results.map(({ title }) => title),
    "How to reproduce",
    "References",
  ]);
  const contents = elements(elements(root, "nav")[0], "a").map(textOf);
  assertEquals(contents, titles.slice(1));
});

Deno.test("tables have captions, numbered, and heads for rows and columns", () => {
  const tables = elements(root, "table");
  const own = sampleDocument.results.reduce((sum, { tables }) => sum + tables.length, 0);
  const measured = sampleDocument.results.filter(({ measurements }) => measurements.length > 0);
  assertEquals(tables.length, 1 + measured.length + own);
  tables.forEach((table, i) => {
    const [caption] = elements(table, "caption");
    assertMatch(textOf(caption), new RegExp(`^Table ${i + 1}\\. .`));
    for (const head of elements(table, "th")) {
      assert(head.attributes.has("scope") && textOf(head) !== "");
    }
    for (const row of elements(elements(table, "tbody")[0], "tr")) {
      assertEquals(elements(row, "th").length, 1);
    }
  });
});

Deno.test("every measurement is in the summary and in its section, rounded and exact", () => {
  const exact = (scope: PageElement) => elements(scope, "data").map(attribute("value")).map(Number);
  const values = sampleDocument.results.map(({ measurements }) => measurements.map((m) => m.value));
  assertEquals(exact(withId("summary")), values.flat());
  sampleDocument.results.forEach(({ measurements }, i) => {
    const section = withId(`metric-${i + 1}`);
    assertEquals(exact(section), values[i]);
    const rows = elements(section, "tr").filter((row) => elements(row, "data").length > 0);
    measurements.forEach((measurement, k) => {
      const text = textOf(rows[k]);
      assertStringIncludes(text.toLowerCase(), measurement.label.toLowerCase());
      assertStringIncludes(text, measurement.name);
      const rounded = formatMeasurement(measurement.value, measurement.standardError);
      assertStringIncludes(text, rounded.replace("e-4", " × 10−4"));
      if (measurement.unit) assertStringIncludes(text, measurement.unit);
      assert(!measurement.better || text.endsWith(` ${measurement.better}`));
    });
  });
});

Deno.test("the summary says from how many samples and which features", () => {
  const summary = textOf(withId("summary"));
  assertStringIncludes(summary, "Kernel inception distance n = 50,000, Inception-v3 (pool3)");
  assertStringIncludes(summary, "Negative log-likelihood n = 256 ");
  const classifier = rendered(documentOf({
    options: { n: 1000, features: "classifier" },
    measurements: [{ name: "frechet-distance", label: "distance", value: 3 }],
  }));
  const text = textOf(classifier);
  assertStringIncludes(text, "n = 1,000, small classifier (not Inception)");
  assert(!/FID|Inception-v3|Szegedy/.test(text));
});

Deno.test("a metric's section has its options, notes and tables", () => {
  sampleDocument.results.forEach(({ options, notes, tables }, i) => {
    const section = withId(`metric-${i + 1}`);
    assertEquals(elements(section, "dt").length, Object.keys(options).length + 1);
    assertEquals(elements(section, "li").map(textOf), notes);
    const text = textOf(section);
    for (const { title, columns, rows } of tables) {
      for (const words of [title, ...columns, ...rows.map(([first]) => String(first))]) {
        assertStringIncludes(text, words);
      }
    }
  });
  const facts = elements(withId("metric-1"), "div").map(textOf);
  for (
    const fact of ["samples (n) 50,000", "seed 20240", "compared with train", "equal steps no"]
  ) {
    assert(facts.includes(fact), fact);
  }
});

Deno.test("columns of numbers are aligned, with as many decimals each; what is missing is a dash", () => {
  const table = elements(withId("metric-6"), "table")[1];
  const column = (i: number) =>
    elements(elements(table, "tbody")[0], "tr").map((row) =>
      textOf(row.children.filter((cell) => typeof cell !== "string")[i])
    );
  assertEquals(column(1), ["2,500", "2,500", "2,500", "2,500", "2,500"]);
  assertEquals(column(2), ["−41.2", "−30.7", "−41.5", "−44.9", "1,204.5"]);
  assertEquals(column(5), ["–", "0.78", "0.50", "0.61", "–"]);
  const numeric = elements(table, "th").filter((head) => head.attributes.has("class"));
  assertEquals(numeric.map(textOf), sampleDocument.results[5].tables[0].columns.slice(1));
});

Deno.test("tables without rows, with short or long rows, and with mixed cells are tables", () => {
  const table = (columns: string[], rows: (string | number | boolean | null)[][]) =>
    elements(rendered(documentOf({ tables: [{ title: "t", columns, rows }] })), "table")[0];
  assertEquals(textOf(table(["a", "b"], [])), "Table 1. t ab There are no rows.");
  assertEquals(textOf(table([], [])), "Table 1. t There are no rows.");
  const mixed = table(["a", "b"], [[1], ["x", 2.5, true], [null, -1e-5]]);
  const cells = elements(mixed, "tr").map((row) =>
    row.children.filter((cell) => typeof cell !== "string").map(textOf)
  );
  assertEquals(cells, [["a", "b", ""], ["1", "–", "–"], ["x", "2.5", "yes"], [
    "–",
    "−1 × 10−5",
    "–",
  ]]);
});

Deno.test("pictures have alternative texts, numbered captions and their size", () => {
  const figures = elements(root, "figure");
  const pictures = sampleDocument.results.flatMap(({ pictures }) => pictures);
  assertEquals(figures.length, pictures.length);
  figures.forEach((figure, i) => {
    const { file, alt, caption } = pictures[i];
    assertEquals(
      elements(figure, "figcaption").map(textOf),
      [`Figure ${i + 1}. ${caption}`],
    );
    if (file.endsWith(".svg")) {
      const [svg] = elements(figure, "svg");
      assertEquals([svg.attributes.get("role"), svg.attributes.get("aria-label")], ["img", alt]);
      assert(elements(svg, "path").length > 3 && elements(svg, "title").length === 0);
    } else {
      const [image] = elements(figure, "img");
      assertEquals(image.attributes.get("alt"), alt);
      const bytes = Uint8Array.from(
        atob(image.attributes.get("src")!.split(",")[1]),
        (character) => character.charCodeAt(0),
      );
      assertEquals(bytes, samplePictures().get(file));
      assert(Number(image.attributes.get("width")) > 100);
      assert(Number(image.attributes.get("height")) > 100);
    }
  });
});

Deno.test("a picture that is missing or is none is said to be, with what it shows", () => {
  const picture = { file: "a.png", alt: "two < three", caption: "c" };
  for (
    const [content, words] of [[undefined, "was not there"], ["PNG", "is no PNG file"]] as const
  ) {
    const pictures = new Map(content === undefined ? [] : [["a.png", content]]);
    const [figure] = elements(rendered(documentOf({ pictures: [picture] }), pictures), "figure");
    assertStringIncludes(textOf(figure), `a.png ${words}`);
    assertStringIncludes(textOf(figure), "two < three");
    assertEquals(elements(figure, "img"), []);
  }
});

Deno.test("references are those of the metrics that are there, with the method's", () => {
  const cited = (...metrics: string[]) => {
    const page = rendered(documentOf(...metrics.map((metric) => ({ metric }))));
    return elements(withId("references", page), "li").map(attribute("id"));
  };
  assertEquals(cited(), ["loo-2024"]);
  assertEquals(cited("neighbours", "constructor"), ["loo-2024"]);
  assertEquals(cited("fid", "fid"), ["heusel-2017", "loo-2024"]);
  assertEquals(cited("prdc"), ["kynkaanniemi-2019", "loo-2024", "naeem-2020"]);
  assertEquals(cited("kid", "is"), ["binkowski-2018", "loo-2024", "salimans-2016"]);
  assertEquals(cited("nll"), ["chen-2018", "grathwohl-2019", "loo-2024"]);
  const inception = documentOf({ metric: "fid", options: { features: "inception" } });
  assertStringIncludes(
    textOf(withId("metric-1", rendered(inception))),
    "Features: Szegedy et al. 2016",
  );
});

Deno.test("the section on reproduction has checkpoint, checksum, software, commands and eval.json", () => {
  const section = withId("reproduction");
  const text = textOf(section);
  for (
    const words of [
      "checkpoint step 130,000",
      "decay 0.9999",
      "software vapo 0.1.0",
      sampleDocument.checkpoint.sha256,
    ]
  ) {
    assertStringIncludes(text, words);
  }
  const commands = elements(section, "code").map(textOf);
  assertEquals(
    commands[0],
    "vapo eval runs/three fid kid --checkpoint 130000 --average 0.9999 --n 50000 " +
      "--features inception --seed 20240 --solver rk45 --until 1.25 --batch 256 --rtol 0.001 " +
      "--atol 0.001 --reference train",
  );
  assert(
    commands.some((command) => command.includes("--against interpolation --against cifar100")),
  );
  const [file] = elements(section, "a");
  const json = atob(file.attributes.get("href")!.split(",")[1]);
  const bytes = Uint8Array.from(json, (character) => character.charCodeAt(0));
  assertEquals(JSON.parse(new TextDecoder().decode(bytes)), sampleDocument);
});

Deno.test("commands give each solver the options that it takes, and quote what a shell would not", () => {
  const command = (options: MetricResult["options"], run?: string) => {
    const page = readPage(renderReport(documentOf({ metric: "fid", options }), new Map(), { run }));
    return textOf(elements(withId("reproduction", page), "code")[0])
      .replace(" --checkpoint 130000 --average 0.9999", "");
  };
  const steps = { steps: 50, rtol: 0.1, atol: 0.2 };
  assertEquals(
    command({ solver: "heun", ...steps }, "r"),
    "vapo eval r fid --solver heun --steps 50",
  );
  assertEquals(
    command({ solver: "rk45", ...steps, equalSteps: true }, "r"),
    "vapo eval r fid --solver rk45 --steps 50",
  );
  assertEquals(
    command({ solver: "rk45", ...steps, until: null }, "r"),
    "vapo eval r fid --solver rk45 --rtol 0.1 --atol 0.2",
  );
  assertEquals(command({ reference: "test" }, "r"), "vapo eval r fid --reference test");
  assertEquals(
    command({ statistics: "my stats.npz" }, "it's here"),
    "vapo eval 'it'\\''s here' fid --stats 'my stats.npz'",
  );
});

Deno.test("two results of a metric have titles that tell them apart", () => {
  const page = rendered(documentOf(
    { metric: "fid", title: "FID", options: { n: 50000, seed: 1 } },
    { metric: "fid", title: "FID", options: { n: 2500, seed: 1 } },
  ));
  const titles = elements(page, "h2").map(textOf);
  assert(titles.includes("FID (n 50,000)") && titles.includes("FID (n 2,500)"), titles.join());
});

Deno.test("an evaluation of nothing, and of one metric, are pages without contents", () => {
  const nothing = rendered(documentOf());
  assertStringIncludes(textOf(withId("summary", nothing)), "Nothing was measured.");
  assertEquals(elements(nothing, "nav"), []);
  const single = rendered(documentOf({ metric: "neighbours" }));
  assertStringIncludes(textOf(withId("summary", single)), "There are no measurements.");
  assertEquals(elements(single, "nav"), []);
});

/** Texts that would break a page or run in it. */
const hostile = fc.oneof(
  fc.constantFrom(
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "<!--",
    "-->",
    "]]>",
    "&lt;b&gt;",
    "&#60;",
    "</title>",
    "javascript:alert(1)",
    "\u0000\u001b[2J\u009b\ud800\uffff\ufdd0\r\n",
  ),
  fc.string({ unit: "binary" }),
  fc.stringMatching(/^[<>&"'/=a-z !-]{0,30}$/),
);

const hostileDocument: fc.Arbitrary<EvaluationDocument> = fc.record({
  format: fc.constant("vapo-evaluation" as const),
  version: fc.constant(1 as const),
  run: fc.record({ name: hostile, preset: hostile, data: hostile }),
  checkpoint: fc.constant(sampleDocument.checkpoint),
  results: fc.array(
    fc.record({
      metric: fc.oneof(hostile, fc.constantFrom("fid", "__proto__", "toString")),
      title: hostile,
      options: fc.dictionary(
        fc.oneof(
          hostile,
          fc.constantFrom("features", "outside", "solver", "reference", "toString"),
        ),
        fc.oneof(hostile, fc.double({ noNaN: true }), fc.boolean(), fc.constant(null)),
        { maxKeys: 4 },
      ),
      measurements: fc.array(
        fc.record({
          name: fc.constant("m"),
          label: hostile,
          value: fc.double({ noNaN: true }),
          standardError: fc.double({ min: 0, noNaN: true }),
          unit: hostile,
          better: fc.constantFrom("lower", "higher"),
        }, { requiredKeys: ["name", "label", "value"] }),
        { maxLength: 3 },
      ),
      tables: fc.array(
        fc.record({
          title: hostile,
          columns: fc.array(hostile, { maxLength: 3 }),
          rows: fc.array(fc.array(fc.oneof(hostile, fc.double()), { maxLength: 3 }), {
            maxLength: 3,
          }),
        }),
        { maxLength: 2 },
      ),
      pictures: fc.array(
        fc.record({
          file: fc.constantFrom("a.png", "a.svg", "b.svg"),
          alt: hostile,
          caption: hostile,
        }),
        { maxLength: 2 },
      ),
      notes: fc.array(hostile, { maxLength: 2 }),
      seconds: fc.double({ min: 0, max: 1e9, noNaN: true }),
    }),
    { maxLength: 3 },
  ),
});

Deno.test("no text of a document becomes a tag, an attribute or a control sequence", () => {
  fc.assert(
    fc.property(hostileDocument, hostile, hostile, (document, picture, run) => {
      const pictures = new Map([["a.png", picture], ["a.svg", `<svg>${picture}</svg>`]]);
      const page = readPage(renderReport(document, pictures, { version: picture, run }));
      const allowed = new Set(
        ("html head meta title style body header p h1 dl div dt dd nav h2 ol li a main section table " +
          "caption b thead tbody tr th td small code data span sup h3 ul figure img figcaption pre " +
          "cite footer svg").split(" "),
      );
      for (const { name, attributes } of elements(page)) {
        assert(allowed.has(name), name);
        for (const [key, value] of attributes) {
          assert(!key.startsWith("on"), key);
          if (key === "src") assertMatch(value, /^data:image\/(png|svg\+xml);base64,/);
        }
      }
      for (const line of textSummary(document)) assert(!/[\p{Cc}\u2028]/u.test(line), line);
      const shown = elements(page, "h1").map(textOf)[0];
      const plain = /^[\w&<>"'!=/-]*$/.test(document.run.name);
      if (plain) assertEquals(shown, document.run.name);
    }),
    { numRuns: 300 },
  );
});

Deno.test("the summary in text is aligned, every measurement a line", () => {
  const lines = textSummary(sampleDocument);
  const measured = sampleDocument.results.filter(({ measurements }) => measurements.length > 0);
  const all = measured.flatMap(({ measurements }) => measurements);
  assertEquals(lines.length, all.length + measured.length);
  const rows = lines.filter((line) => line.startsWith("  "));
  assertEquals(rows.length, all.length);
  rows.forEach((line, i) => {
    assertStringIncludes(line, all[i].label);
    assertStringIncludes(
      line.replace(/ +/g, " "),
      formatMeasurement(all[i].value, all[i].standardError),
    );
  });
  // After the labels, in which one stands too.
  const widest = Math.max(...all.map(({ label }) => label.length)) + 2;
  const places = rows.map((line) => line.indexOf("±", widest)).filter((place) => place >= 0);
  assertEquals(new Set(places).size, 1);
  const arrows = rows.map((line) => line.search(/[↓↑]/)).filter((place) => place >= 0);
  assertEquals(new Set(arrows).size, 1);
  assert(lines.every((line) => line === line.trimEnd()));
  assertStringIncludes(lines[0], "n = 50,000, Inception-v3 (pool3)");
  assertEquals(textSummary({ ...sampleDocument, results: [] }), []);
});

Deno.test("an accent of its own does not shift the columns of the text", () => {
  const measurements = ["Frechet", "Fre\u0301chet"].map((label) => ({
    name: "m",
    label,
    value: 1,
  }));
  const [, plain, accented] = textSummary(documentOf({ measurements }));
  assertEquals(plain.length + 1, accented.length);
});
