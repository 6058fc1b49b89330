//! Which curves the figures leave plausible: every shape of [`prior`](super::prior) with every kernel of a Gaussian process for what the shape does
//! not explain, weighed by how well both explain the cells, and curves drawn from the mixture.

use super::VCPU;
use super::cells::Cells;
use super::matrix::{Lower, Matrix, dot};
use super::numbers::normal;
use super::prior::shapes;

/// How many curves are drawn.
pub const DRAWS: usize = 256;
/// Amplitude (of ln t), length (in ln MB) and probability of what a shape does not explain. The short ones keep the confidence
/// honest: curves do jump and wiggle.
const KERNELS: [(f64, f64, f64); 6] = [
    (0.004, 0.7, 0.25),
    (0.012, 0.5, 0.27),
    (0.03, 0.4, 0.18),
    (0.08, 0.35, 0.10),
    (0.04, 0.12, 0.12),
    (0.10, 0.12, 0.08),
];
/// Up to this amplitude a kernel is smooth: only then do the variants below change much.
const SMOOTH: f64 = 0.03;
/// Environments may differ by more than they showed: standard deviation and probability.
const MORE_BETWEEN_ENVIRONMENTS: (f64, f64) = (0.06, 0.15);
/// Probability that the curve jumps somewhere, the standard deviation of the jump (ln t), and where in a gap between measured sizes.
const JUMP: (f64, f64, [f64; 3]) = (0.15, 0.5, [0.1, 0.5, 0.9]);
/// Jumps are tried with every n-th shape only.
const JUMP_SHAPES: usize = 5;
/// Probability and length (in ln MB) of what CPU shares in periods of 20 ms do to a short function.
const SAW: (f64, f64) = (0.4, 0.10);
/// Standard deviation between rounds, for which hour it was.
const BETWEEN_ROUNDS: f64 = 0.008;

/// One covariance of what a shape does not explain.
#[derive(Clone, Copy)]
struct Kernel {
    amplitude: f64,
    length: f64,
    probability: f64,
    saw: bool,
    /// Where the curve jumps, in ln MB.
    jump: Option<f64>,
    environment_variance: f64,
}

/// Where the curve may jump, in ln MB, each with the width of its gap between measured sizes.
pub fn jumps(sizes: &[f64]) -> Vec<(f64, f64)> {
    let gaps = sizes.windows(2).map(|pair| (pair[0].ln(), pair[1].ln() - pair[0].ln()));
    gaps.filter(|(_, width)| *width > 0.012)
        .flat_map(|(from, width)| JUMP.2.map(|part| (from + width * part, width)))
        .collect()
}

/// How far periods of 20 ms can shift the duration, as a share of it.
struct Saw {
    ln_sizes: Vec<f64>,
    ln_ms: Vec<f64>,
}

impl Saw {
    fn new(cells: &Cells) -> Self {
        let mut points: Vec<(f64, f64)> =
            cells.cells.iter().map(|cell| (cells.sizes[cell.size].ln(), cell.ln_ms)).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        Self { ln_sizes: points.iter().map(|p| p.0).collect(), ln_ms: points.iter().map(|p| p.1).collect() }
    }

    fn amplitude(&self, ln_size: f64) -> f64 {
        let above = self.ln_sizes.partition_point(|x| *x <= ln_size);
        let last = self.ln_sizes.len() - 1;
        let ln_ms = if above == 0 {
            self.ln_ms[0]
        } else if above > last {
            self.ln_ms[last]
        } else {
            let (x0, x1) = (self.ln_sizes[above - 1], self.ln_sizes[above]);
            let part = (ln_size - x0) / (x1 - x0);
            self.ln_ms[above - 1] + part * (self.ln_ms[above] - self.ln_ms[above - 1])
        };
        let pause = 20.0 * (1.0 - ln_size.exp() / VCPU).max(0.0);
        (0.35 * pause / ln_ms.exp()).min(0.4)
    }
}

/// The kernels with their probabilities.
fn kernels(cells: &Cells, saw: bool) -> Vec<Kernel> {
    let box_variance = cells.environment_variance;
    let jumps = jumps(&cells.sizes);
    let all: f64 = jumps.iter().map(|jump| jump.1).sum();
    let with_jump = if jumps.is_empty() { 0.0 } else { JUMP.0 };
    let with_saw = if saw { SAW.0 } else { 0.0 };
    let mut kernels = Vec::new();
    for (amplitude, length, probability) in KERNELS {
        let base = Kernel {
            amplitude,
            length,
            probability: probability * (1.0 - with_jump),
            saw: false,
            jump: None,
            environment_variance: box_variance,
        };
        if amplitude >= SMOOTH {
            kernels.push(Kernel { probability: base.probability * (1.0 - with_saw), ..base });
            continue;
        }
        let (more, share) = MORE_BETWEEN_ENVIRONMENTS;
        for (environment_variance, part) in [(box_variance, 1.0 - share), (box_variance + more * more, share)]
        {
            let kernel = Kernel { environment_variance, probability: base.probability * part, ..base };
            kernels.push(Kernel { probability: kernel.probability * (1.0 - with_saw), ..kernel });
            if saw {
                kernels.push(Kernel { probability: kernel.probability * with_saw, saw, ..kernel });
            }
        }
    }
    kernels.extend(jumps.iter().map(|(at, width)| Kernel {
        amplitude: 0.012,
        length: 0.5,
        probability: JUMP.0 * width / all,
        saw: false,
        jump: Some(*at),
        environment_variance: box_variance,
    }));
    kernels
}

/// What the cells say under one kernel.
struct Evidence {
    lower: Lower,
    /// L⁻¹·1 and its square.
    ones: Vec<f64>,
    ones_squared: f64,
    /// ln of the weight of each shape that is tried.
    ln_weights: Vec<f64>,
}

/// Draws of ln t, in ms, at each of the sizes: settled and warm, in an average environment.
pub fn draws(cells: &Cells, grid: &[f64]) -> Vec<Vec<f64>> {
    let shapes = shapes(cells);
    // Constants cancel out; without them sums of squares lose fewer digits.
    let middle = cells.cells.iter().map(|cell| cell.ln_ms).sum::<f64>() / cells.cells.len() as f64;
    let y: Vec<f64> = cells.cells.iter().map(|cell| cell.ln_ms - middle).collect();
    let ln_cells: Vec<f64> = cells.cells.iter().map(|cell| cells.sizes[cell.size].ln()).collect();
    let ln_grid: Vec<f64> = grid.iter().map(|size| size.ln()).collect();
    let at_sizes: Vec<Vec<f64>> =
        shapes.iter().map(|(shape, _)| cells.sizes.iter().map(|size| shape.ln_ms(*size)).collect()).collect();

    let saw = Saw::new(cells);
    let saw_cells: Vec<f64> = ln_cells.iter().map(|x| saw.amplitude(*x)).collect();
    let saw_grid: Vec<f64> = ln_grid.iter().map(|x| saw.amplitude(*x)).collect();
    let kernels = kernels(cells, saw_grid.iter().any(|amplitude| *amplitude > 0.01));
    let rounds = cells.cells.iter().any(|cell| cell.round != cells.cells[0].round);
    let noise = |a: usize, b: usize, environment_variance: f64| {
        let (first, second) = (&cells.cells[a], &cells.cells[b]);
        let mut value = 0.0;
        if first.size == second.size {
            value += environment_variance / cells.environments[first.size];
        }
        if rounds && first.round == second.round {
            value += BETWEEN_ROUNDS * BETWEEN_ROUNDS;
        }
        if a == b { value + first.variance + 1e-8 } else { value }
    };

    let evidence: Vec<Evidence> = kernels
        .iter()
        .map(|kernel| {
            let covariance = Matrix::symmetric(y.len(), |a, b| {
                kernel.between((ln_cells[a], saw_cells[a]), (ln_cells[b], saw_cells[b]))
                    + noise(a, b, kernel.environment_variance)
            });
            evidence(kernel, &covariance, &y, cells, &shapes, &at_sizes)
        })
        .collect();

    let picked = pick(&evidence);
    let mut draws = Vec::with_capacity(DRAWS);
    for picks in picked.chunk_by(|a, b| a.0 == b.0) {
        let (kernel, evidence) = (&kernels[picks[0].0], &evidence[picks[0].0]);
        // L⁻¹ times the covariance of each grid size with the cells.
        let across: Vec<Vec<f64>> = (0..grid.len())
            .map(|g| {
                let point = (ln_grid[g], saw_grid[g]);
                let mut row: Vec<f64> =
                    (0..y.len()).map(|c| kernel.between(point, (ln_cells[c], saw_cells[c]))).collect();
                evidence.lower.solve(&mut row);
                row
            })
            .collect();
        let level: Vec<f64> = across.iter().map(|row| 1.0 - dot(row, &evidence.ones)).collect();
        let covariance = Matrix::symmetric(grid.len(), |a, b| {
            kernel.between((ln_grid[a], saw_grid[a]), (ln_grid[b], saw_grid[b])) - dot(&across[a], &across[b])
                + level[a] * level[b] / evidence.ones_squared
                + if a == b { 1e-10 } else { 0.0 }
        });
        let lower = covariance.cholesky();
        for (_, index) in picks {
            let shape = kernel.shape(*index);
            let mut off: Vec<f64> =
                y.iter().zip(&cells.cells).map(|(y, cell)| y - at_sizes[shape][cell.size]).collect();
            evidence.lower.solve(&mut off);
            let constant = dot(&off, &evidence.ones) / evidence.ones_squared;
            for (off, one) in off.iter_mut().zip(&evidence.ones) {
                *off -= constant * one;
            }
            let mut draw: Vec<f64> = grid
                .iter()
                .zip(&across)
                .map(|(size, row)| middle + shapes[shape].0.ln_ms(*size) + constant + dot(row, &off))
                .collect();
            let z: Vec<f64> = (0..grid.len()).map(|column| normal(draws.len(), column)).collect();
            lower.add_product(&z, &mut draw);
            draws.push(draw);
        }
    }
    draws
}

impl Kernel {
    /// The covariance of what the shape does not explain between two sizes, each as (ln MB, amplitude of the saw).
    fn between(&self, a: (f64, f64), b: (f64, f64)) -> f64 {
        let apart = (a.0 - b.0).powi(2);
        let mut value = self.amplitude.powi(2) * (-0.5 * apart / self.length.powi(2)).exp();
        if self.saw {
            value += a.1 * b.1 * (-0.5 * apart / SAW.1.powi(2)).exp();
        }
        if self.jump.is_some_and(|at| a.0 < at && b.0 < at) {
            value += JUMP.1.powi(2);
        }
        value
    }

    /// Which shape the n-th one tried with this kernel is.
    fn shape(&self, index: usize) -> usize {
        if self.jump.is_some() { index * JUMP_SHAPES } else { index }
    }
}

fn evidence(
    kernel: &Kernel,
    covariance: &Matrix,
    y: &[f64],
    cells: &Cells,
    shapes: &[(super::prior::Shape, f64)],
    at_sizes: &[Vec<f64>],
) -> Evidence {
    let lower = covariance.cholesky();
    let mut ones = vec![1.0; y.len()];
    lower.solve(&mut ones);
    let ones_squared = dot(&ones, &ones);
    let mut solved = y.to_vec();
    lower.solve(&mut solved);
    // A shape has one value for each size, so all that depends on cells is put together once, by size: with r = y − s, both
    // r'C⁻¹r and 1'C⁻¹r are polynomials in the values of s.
    let by_size: Vec<Vec<f64>> = (0..cells.sizes.len())
        .map(|size| {
            let mut member: Vec<f64> =
                cells.cells.iter().map(|cell| f64::from(u8::from(cell.size == size))).collect();
            lower.solve(&mut member);
            member
        })
        .collect();
    let squares: Vec<Vec<f64>> =
        by_size.iter().map(|a| by_size.iter().map(|b| dot(a, b)).collect()).collect();
    let with_y: Vec<f64> = by_size.iter().map(|member| dot(member, &solved)).collect();
    let with_ones: Vec<f64> = by_size.iter().map(|member| dot(member, &ones)).collect();
    let (y_squared, y_ones) = (dot(&solved, &solved), dot(&solved, &ones));

    let every = if kernel.jump.is_some() { JUMP_SHAPES } else { 1 };
    let constant =
        -lower.ln_determinant() - 0.5 * ones_squared.ln() + (kernel.probability * every as f64).ln();
    let ln_weights = at_sizes
        .iter()
        .zip(shapes)
        .step_by(every)
        .map(|(at, (_, probability))| {
            let quadratic: f64 = squares.iter().zip(at).map(|(row, value)| value * dot(row, at)).sum();
            let squared = y_squared - 2.0 * dot(&with_y, at) + quadratic;
            let level = (y_ones - dot(&with_ones, at)) / ones_squared;
            -0.5 * (squared - level * level * ones_squared) + constant + probability.ln()
        })
        .collect();
    Evidence { lower, ones, ones_squared, ln_weights }
}

/// Which kernel and which of its shapes each draw has (systematic resampling), in the order of the kernels.
fn pick(evidence: &[Evidence]) -> Vec<(usize, usize)> {
    let all = || {
        evidence.iter().enumerate().flat_map(|(kernel, evidence)| {
            evidence.ln_weights.iter().enumerate().map(move |(shape, weight)| (kernel, shape, *weight))
        })
    };
    let most = all().map(|(_, _, weight)| weight).fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = all().map(|(_, _, weight)| (weight - most).exp()).sum();
    let mut picked = Vec::with_capacity(DRAWS);
    let mut below = 0.0;
    for (kernel, shape, weight) in all() {
        below += (weight - most).exp() / total;
        while picked.len() < DRAWS && (picked.len() as f64 + 0.5) / (DRAWS as f64) < below {
            picked.push((kernel, shape));
        }
    }
    // Rounding may leave the last one out.
    while let Some(last) = picked.last().copied().filter(|_| picked.len() < DRAWS) {
        picked.push(last);
    }
    picked
}
