/**
 * @file The works that an evaluation's metrics are from.
 */
import type { EvaluationDocument, MetricResult } from "./document.ts";
import { usesInception } from "./report_words.ts";

/** A work that is cited. */
export interface Reference {
  /** As in "heusel-2017". */
  readonly id: string;
  /** As in "Heusel et al. 2017". */
  readonly short: string;
  readonly authors: string;
  readonly title: string;
  /** Where and when it appeared. */
  readonly published: string;
  readonly url: string;
}

function work(
  short: string,
  authors: string,
  title: string,
  published: string,
  url: string,
): Reference {
  const [, first, year] = /^(\p{L}+).*?(\d{4})$/u.exec(short)!;
  const plain = first.normalize("NFD").replace(/[^a-zA-Z]/g, "").toLowerCase();
  return { id: `${plain}-${year}`, short, authors, title, published, url };
}

const arxiv = (number: string) => `https://arxiv.org/abs/${number}`;
const doi = (name: string) => `https://doi.org/${name}`;

/** The method of every run. */
const loo = work(
  "Loo et al. 2024",
  "J. Y. Loo, M. Adeline, A. Pal, V. M. Baskaran, C.-M. Ting, R. C.-W. Phan",
  "Variational Potential Flow: A Novel Probabilistic Framework for Energy-Based Generative Modelling",
  "arXiv 2407.15238, 2024",
  arxiv("2407.15238"),
);

const szegedy = work(
  "Szegedy et al. 2016",
  "C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna",
  "Rethinking the Inception Architecture for Computer Vision",
  "CVPR 2016",
  arxiv("1512.00567"),
);

const byMetric: Readonly<Record<string, readonly Reference[]>> = {
  fid: [work(
    "Heusel et al. 2017",
    "M. Heusel, H. Ramsauer, T. Unterthiner, B. Nessler, S. Hochreiter",
    "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium",
    "NeurIPS 2017",
    arxiv("1706.08500"),
  )],
  kid: [work(
    "Bińkowski et al. 2018",
    "M. Bińkowski, D. J. Sutherland, M. Arbel, A. Gretton",
    "Demystifying MMD GANs",
    "ICLR 2018",
    arxiv("1801.01401"),
  )],
  is: [work(
    "Salimans et al. 2016",
    "T. Salimans, I. Goodfellow, W. Zaremba, V. Cheung, A. Radford, X. Chen",
    "Improved Techniques for Training GANs",
    "NeurIPS 2016",
    arxiv("1606.03498"),
  )],
  prdc: [
    work(
      "Kynkäänniemi et al. 2019",
      "T. Kynkäänniemi, T. Karras, S. Laine, J. Lehtinen, T. Aila",
      "Improved Precision and Recall Metric for Assessing Generative Models",
      "NeurIPS 2019",
      arxiv("1904.06991"),
    ),
    work(
      "Naeem et al. 2020",
      "M. F. Naeem, S. J. Oh, Y. Uh, Y. Choi, J. Yoo",
      "Reliable Fidelity and Diversity Metrics for Generative Models",
      "ICML 2020",
      arxiv("2002.09797"),
    ),
  ],
  nll: [
    work(
      "Chen et al. 2018",
      "R. T. Q. Chen, Y. Rubanova, J. Bettencourt, D. Duvenaud",
      "Neural Ordinary Differential Equations",
      "NeurIPS 2018",
      arxiv("1806.07366"),
    ),
    work(
      "Grathwohl et al. 2019",
      "W. Grathwohl, R. T. Q. Chen, J. Bettencourt, I. Sutskever, D. Duvenaud",
      "FFJORD: Free-Form Continuous Dynamics for Scalable Reversible Generative Models",
      "ICLR 2019",
      arxiv("1810.01367"),
    ),
  ],
  ood: [
    work(
      "Hanley and McNeil 1982",
      "J. A. Hanley, B. J. McNeil",
      "The Meaning and Use of the Area under a Receiver Operating Characteristic (ROC) Curve",
      "Radiology 143(1), 29–36, 1982",
      doi("10.1148/radiology.143.1.7063747"),
    ),
    work(
      "Hendrycks and Gimpel 2017",
      "D. Hendrycks, K. Gimpel",
      "A Baseline for Detecting Misclassified and Out-of-Distribution Examples in Neural Networks",
      "ICLR 2017",
      arxiv("1610.02136"),
    ),
  ],
  energy: [work(
    "Smirnov 1948",
    "N. Smirnov",
    "Table for Estimating the Goodness of Fit of Empirical Distributions",
    "Annals of Mathematical Statistics 19(2), 279–281, 1948",
    doi("10.1214/aoms/1177730256"),
  )],
  interpolate: [work(
    "Shoemake 1985",
    "K. Shoemake",
    "Animating Rotation with Quaternion Curves",
    "SIGGRAPH 1985",
    doi("10.1145/325334.325242"),
  )],
  solvers: [work(
    "Dormand and Prince 1980",
    "J. R. Dormand, P. J. Prince",
    "A Family of Embedded Runge-Kutta Formulae",
    "Journal of Computational and Applied Mathematics 6(1), 19–26, 1980",
    doi("10.1016/0771-050X(80)90013-3"),
  )],
};

/** The works that a result's numbers are defined in, and the one that its features are of. */
export function metricReferences(
  result: MetricResult,
): Readonly<Record<"method" | "features", readonly Reference[]>> {
  return {
    method: Object.hasOwn(byMetric, result.metric) ? byMetric[result.metric] : [],
    features: usesInception(result) ? [szegedy] : [],
  };
}

/** The works that an evaluation rests on, the method's among them, by author. */
export function allReferences({ results }: EvaluationDocument): Reference[] {
  const cited = results.map(metricReferences);
  const works = new Set([
    loo,
    ...cited.flatMap(({ method, features }) => [...method, ...features]),
  ]);
  return [...works].sort((a, b) => a.id < b.id ? -1 : 1);
}
