/**
 * @file What `vapo eval` has found of a run: numbers, pictures, and the report.
 */
import type { RunDetail, RunEvaluation } from "../../runs/run_types.ts";
import { formatCount, formatNumber } from "../curves/numbers.ts";
import { CopyableCommand } from "./copyable_command.tsx";
import { shellWord } from "./run_text.ts";
import { runPath } from "./session.ts";

/** The evaluation of a run, or how to make one. */
export function EvaluationView(
  { detail, directory }: { readonly detail: RunDetail; readonly directory: string },
) {
  const { name, evaluation } = detail;
  return (
    <section class="panel run-evaluation" aria-labelledby="evaluation-heading">
      <h2 id="evaluation-heading">Evaluation</h2>
      {evaluation
        ? <Found name={name} evaluation={evaluation} />
        : <NotFound detail={detail} directory={directory} />}
    </section>
  );
}

function NotFound(
  { detail, directory }: { readonly detail: RunDetail; readonly directory: string },
) {
  const { name, config, checkpoints } = detail;
  if (!config) {
    return <p class="muted">Not evaluated: that takes a configuration that can be read.</p>;
  }
  return (
    <>
      <p class="muted">
        Not evaluated yet. {checkpoints.length > 0
          ? "This measures it with every metric that its data allow and writes a report:"
          : "It can be as soon as there is a checkpoint:"}
      </p>
      <CopyableCommand
        label="Evaluate"
        command={`deno task eval ${shellWord(`${directory}/${name}`)} all`}
      />
    </>
  );
}

function Found(
  { name, evaluation }: { readonly name: string; readonly evaluation: RunEvaluation },
) {
  const { report, results, energyHistogram, pictures } = evaluation;
  const file = (each: string) => runPath(name, `/evaluation/${encodeURIComponent(each)}`);
  const others = pictures.filter((each) => each !== energyHistogram);
  const shown = energyHistogram ? [energyHistogram] : [];
  return (
    <>
      <div class="evaluation-parts">
        {results.length > 0 && <Results results={results} />}
        {shown.map((each) => (
          <Picture
            key={each}
            name={name}
            file={each}
            evaluation={evaluation}
          />
        ))}
      </div>
      {others.length > 0 && (
        <details class="fold">
          <summary>
            {others.length === 1 ? "Another picture" : `${others.length} more pictures`}
          </summary>
          <div class="evaluation-pictures">
            {others.map((each) => (
              <Picture key={each} name={name} file={each} evaluation={evaluation} />
            ))}
          </div>
        </details>
      )}
      {report && (
        <details class="fold">
          <summary>The whole report</summary>
          <iframe
            class="report"
            title={`Evaluation report of ${name}`}
            src={file("report.html")}
            sandbox="allow-popups"
            loading="lazy"
          />
        </details>
      )}
      {report && (
        <p>
          <a href={file("report.html")} target="_blank" rel="noopener">
            Open the report in a tab of its own
          </a>
        </p>
      )}
    </>
  );
}

type Result = RunEvaluation["results"][number];

function Results({ results }: Pick<RunEvaluation, "results">) {
  const steps = new Set(results.map(({ step }) => step));
  return (
    <div class="scroll-x" role="region" aria-label="Results" tabIndex={0}>
      <table class="plain results">
        <thead>
          <tr>
            <th scope="col">Measure</th>
            <th scope="col" class="number">Value</th>
            {steps.size > 1 && <th scope="col" class="number">Step</th>}
          </tr>
        </thead>
        <tbody>
          {results.map((result, i) => (
            <tr key={`${result.metric} ${i}`}>
              <td>
                {result.title}
                <span class="muted result-words">{resultWords(result, results)}</span>
              </td>
              <td class="number tabular">
                <span class="nowrap">
                  {formatNumber(result.value)}
                  {result.standardError !== undefined && (
                    <span class="muted">{` ± ${formatNumber(result.standardError, 2)}`}</span>
                  )}
                </span>
                {result.unit && <span class="muted">{` ${result.unit}`}</span>}
              </td>
              {steps.size > 1 && (
                <td class="number tabular">
                  {result.step === null ? "–" : formatCount(result.step)}
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
      {steps.size === 1 && typeof results[0].step === "number" && (
        <p class="muted results-step">
          The first number of each metric, of the checkpoint of step {formatCount(results[0].step)}.
        </p>
      )}
    </div>
  );
}

/** What a number is, which way is better, and in what it differs from others of its metric. */
export function resultWords(result: Result, results: readonly Result[]): string {
  const { title, label, better, metric, step } = result;
  const same = results.filter((other) => other.metric === metric && other.step === step);
  const options = differingOptions(result, same);
  const isSaid = label === undefined || label.toLowerCase() === title.toLowerCase();
  return [isSaid ? null : label, ...options, better && `${better} is better`]
    .filter(Boolean).join("; ");
}

/** The options of a result that are others in results beside it, as "seed 1". */
function differingOptions({ options = {} }: Result, same: readonly Result[]): string[] {
  return Object.keys(options).filter((key) =>
    new Set(same.map((other) => JSON.stringify(other.options?.[key] ?? null))).size > 1
  ).map((key) => `${key} ${options[key] ?? "–"}`);
}

interface PictureProps {
  readonly name: string;
  readonly file: string;
  readonly evaluation: RunEvaluation;
}

function Picture({ name, file, evaluation }: PictureProps) {
  const { alt, caption } = pictureText(evaluation, file);
  return (
    <figure class="figure evaluation-picture">
      <a href={runPath(name, `/evaluation/${encodeURIComponent(file)}`)}>
        <img
          src={runPath(name, `/evaluation/${encodeURIComponent(file)}`)}
          alt={alt}
          loading="lazy"
        />
      </a>
      <figcaption>{caption}</figcaption>
    </figure>
  );
}

/** What a picture is called by its file's name, where nothing else is said of it. */
const kinds: readonly (readonly [RegExp, string])[] = [
  [/^energy-histogram/, "Values of the potential on data and on samples, as histograms"],
  [/^ood-histogram/, "Values of the potential on the data and on other data, as histograms"],
  [/^ood-roc/, "Telling other data from the run's own by the potential: receiver operating curves"],
  [/^nll/, "Negative log-likelihood of the data, as a histogram"],
  [/^neighbours/, "Samples, and the training images nearest to each"],
  [/^interpolat/, "From one sample to another along the prior"],
  [/^solvers/, "Error of the solvers over the number of evaluations"],
  [/samples/, "Samples that were measured"],
];

/** Alternative text and caption of a picture of an evaluation. */
export function pictureText(
  { texts }: Pick<RunEvaluation, "texts">,
  file: string,
): { readonly alt: string; readonly caption: string } {
  const said = texts?.[file];
  if (said) return said;
  const kind = kinds.find(([pattern]) => pattern.test(file))?.[1] ??
    file.replace(/(-[0-9a-f]{8})?\.\w+$/, "").replaceAll("-", " ");
  return { alt: kind, caption: kind };
}
