//! The curves a function may have before anything is measured: physical shapes of duration over memory size, up to a factor.

use super::VCPU;
use super::cells::Cells;
use super::numbers::{mean, median, well_spread};

/// How many shapes there are without those of [`Shape::Periods`].
const SHAPES: usize = 1500;
/// Lambda's CPU share is taken to come in periods of this many milliseconds.
const PERIOD: f64 = 20.0;
/// Which part of a short function is CPU time, and how far the whole may be off what large sizes measured.
const PERIOD_PARTS: (usize, usize) = (28, 9);
/// Functions that take longer than this at large sizes, in ms, do not show periods.
const PERIODS_SHOW: f64 = 250.0;

/// One shape: the duration by memory size, up to a factor.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// One thread of CPU time and `wait` beside it.
    Cpu { wait: f64 },
    /// A share of the CPU time on several threads (Amdahl).
    Threads { threads: f64, share: f64, wait: f64 },
    /// More CPU time as memory becomes scarce, for garbage collection.
    Scarce { threads: f64, wait: f64, height: f64, memory: f64, power: f64 },
    /// A power of the size up to a bound.
    Power { bound: f64, power: f64, wait: f64 },
    /// Something that grows with the size.
    Growing { wait: f64, growth: f64, power: f64 },
    /// A short function whose CPU time comes in periods; in milliseconds.
    Periods { cpu: f64, wait: f64 },
}

impl Shape {
    /// The natural logarithm of the duration at a memory size in MB, up to a constant.
    pub fn ln_ms(&self, size: f64) -> f64 {
        let u = size / VCPU;
        let one = u.min(1.0);
        match *self {
            Self::Cpu { wait } => 1.0 / one + wait,
            Self::Threads { threads, share, wait } => (1.0 - share) / one + share / u.min(threads) + wait,
            Self::Scarce { threads, wait, height, memory, power } => {
                (0.4 / one + 0.6 / u.min(threads) + wait)
                    * (1.0 + height * (memory / size - 1.0).max(0.0).powf(power))
            }
            Self::Power { bound, power, wait } => u.min(bound).powf(-power) + wait,
            Self::Growing { wait, growth, power } => 1.0 / one + wait + growth * u.powf(power),
            Self::Periods { cpu, wait } => {
                let share = PERIOD * one;
                let whole = |cpu: f64| {
                    let periods = (cpu / share - 1e-9).ceil() - 1.0;
                    if u >= 1.0 { cpu } else { periods * PERIOD + cpu - periods * share }
                };
                wait + mean([-0.03, -0.01, 0.01, 0.03].map(|e| whole(cpu * (1.0 + e))))
            }
        }
        .ln()
    }
}

/// The shapes, each with its probability.
pub fn shapes(cells: &Cells) -> Vec<(Shape, f64)> {
    /// Between two bounds, evenly in the logarithm.
    fn between(x: f64, low: f64, high: f64) -> f64 {
        low * (high / low).powf(x)
    }
    type Family = fn([f64; 6]) -> Shape;
    let families: [(f64, Family); 5] = [
        (0.32, |x| Shape::Cpu { wait: between(x[0], 1e-3, 40.0) }),
        (0.18, |x| Shape::Threads {
            threads: [2.0, 3.0, 4.0, 6.0][(x[0] * 4.0) as usize % 4],
            share: 0.2 + 0.8 * x[1].sqrt(),
            wait: between(x[2], 1e-3, 1.0),
        }),
        (0.24, |x| Shape::Scarce {
            threads: if x[4] < 0.3 { 2.0 + 4.0 * x[4] / 0.3 } else { 1.0 },
            wait: between(x[0], 1e-3, 10.0),
            height: between(x[1], 0.1, 15.0),
            memory: between(x[2], 140.0, 3008.0),
            power: 0.7 + 1.2 * x[3],
        }),
        (0.16, |x| Shape::Power {
            bound: between(x[2], 400.0 / VCPU, 6.0),
            power: 0.2 + 1.3 * x[0],
            wait: between(x[1], 1e-2, 10.0),
        }),
        (0.10, |x| Shape::Growing {
            wait: between(x[0], 1e-2, 10.0),
            growth: between(x[1], 3e-3, 0.3),
            power: 0.5 + x[2],
        }),
    ];
    let mut shapes = Vec::with_capacity(SHAPES + PERIOD_PARTS.0 * PERIOD_PARTS.1);
    for (probability, family) in families {
        let count = (SHAPES as f64 * probability) as usize;
        shapes.extend((0..count).map(|index| (family(well_spread(index)), probability / count as f64)));
    }
    shapes.extend(periods(cells));
    shapes
}

/// Shapes with periods, where the durations are short enough to show them.
fn periods(cells: &Cells) -> Vec<(Shape, f64)> {
    let at = |cell: &super::cells::Cell| cells.sizes[cell.size];
    let largest = cells.sizes.last().copied().unwrap_or(VCPU);
    let large =
        cells.cells.iter().filter(|cell| at(cell) >= largest.min(1500.0)).map(|cell| cell.ln_ms.exp());
    let whole = median(large) * if largest >= 1500.0 { 1.0 } else { largest / VCPU };
    if whole > PERIODS_SHOW {
        return Vec::new();
    }
    let (parts, offs) = PERIOD_PARTS;
    let probability = 0.35 * (60.0 / whole).min(1.0) / (parts * offs) as f64;
    let each = (0..parts).flat_map(|part| (0..offs).map(move |off| (part, off)));
    each.map(|(part, off)| {
        let share = (part as f64 + 0.5) / parts as f64;
        let off = -0.1 + 0.2 * off as f64 / (offs - 1) as f64;
        (Shape::Periods { cpu: whole * share * off.exp(), wait: whole * (1.0 - share) }, probability)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_bound_function_halves_with_twice_the_memory_up_to_one_vcpu() {
        let shape = Shape::Cpu { wait: 0.0 };
        let ratio = |a: f64, b: f64| (shape.ln_ms(a) - shape.ln_ms(b)).exp();
        assert!((ratio(256.0, 512.0) - 2.0).abs() < 1e-9);
        assert!((ratio(1769.0, 3538.0) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn periods_make_whole_waits() {
        // 15 ms of CPU at half a vCPU: 10 ms in the first period, the rest at the beginning of the second.
        let half = Shape::Periods { cpu: 15.0, wait: 0.0 }.ln_ms(VCPU / 2.0).exp();
        assert!((half - 25.0).abs() < 0.1, "{half}");
        let one = Shape::Periods { cpu: 15.0, wait: 0.0 }.ln_ms(VCPU).exp();
        assert!((one - 15.0).abs() < 1e-9, "{one}");
    }
}
