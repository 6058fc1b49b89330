//! A fixed piece of work by which the speed of one core is told: what the sample function `cpu` computes, so that the same can be
//! measured on this machine and in an account.

use std::hint::black_box;

/// Steps of the work: about 100 ms of one core at 3 GHz.
pub const ITERATIONS: u64 = 70_000_000;
/// What a core of Lambda is taken to need for the work, in milliseconds, until somebody has measured it: five cycles a step (a
/// shift, an exclusive or and a multiplication, each waiting for the one before) at 2.5 GHz. AWS does not say which processors
/// Lambda has.
pub const LAMBDA_MS: f64 = 140.0;

/// The same work every time, each step depending on the last so that none can be left out.
pub fn compute(iterations: u64) -> u64 {
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..iterations {
        state = black_box(state ^ (state >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_work_has_the_same_result() {
        assert_eq!(compute(1000), compute(1000));
        assert_ne!(compute(1000), compute(1001));
    }
}
