//! Symmetric positive definite matrices of a few dozen rows, which is all the linear algebra there is here.

/// A square matrix, row by row.
#[derive(Clone)]
pub struct Matrix {
    order: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// Of `order` rows, with a value for each row and each column up to it; the rest follows by symmetry.
    pub fn symmetric(order: usize, value: impl Fn(usize, usize) -> f64) -> Self {
        let mut values = vec![0.0; order * order];
        for row in 0..order {
            for column in 0..=row {
                let value = value(row, column);
                values[row * order + column] = value;
                values[column * order + row] = value;
            }
        }
        Self { order, values }
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.order..][..self.order]
    }

    /// The lower triangle L with L·Lᵀ = this matrix (Cholesky). Where rounding makes a pivot too small, the diagonal is raised by
    /// the least that helps.
    pub fn cholesky(&self) -> Lower {
        let mut raise = 1e-12;
        loop {
            if let Some(lower) = self.factor(raise) {
                return lower;
            }
            raise = (raise * 10.0).max(1e-10);
        }
    }

    fn factor(&self, raise: f64) -> Option<Lower> {
        let order = self.order;
        let mut lower = self.values.clone();
        for row in 0..order {
            for column in 0..=row {
                let (above, this) = lower.split_at(row * order);
                let other = if column == row { &this[..column] } else { &above[column * order..][..column] };
                let mut sum = this[column] - dot(&this[..column], other);
                if column == row {
                    sum += raise;
                    // Also false for what is not a number, which no raise would mend: such a matrix has no meaning left.
                    if sum <= 0.0 {
                        return None;
                    }
                    lower[row * order + column] = if sum.is_nan() { 1.0 } else { sum.sqrt() };
                } else {
                    lower[row * order + column] = sum / above[column * order + column];
                }
            }
        }
        Some(Lower(Self { order, values: lower }))
    }
}

/// A lower triangle; what is above the diagonal has no meaning.
pub struct Lower(Matrix);

impl Lower {
    /// Solves L·x = b in place.
    pub fn solve(&self, b: &mut [f64]) {
        for row in 0..self.0.order {
            let values = self.0.row(row);
            b[row] = (b[row] - dot(&values[..row], &b[..row])) / values[row];
        }
    }

    /// L·z, added to `sum`.
    pub fn add_product(&self, z: &[f64], sum: &mut [f64]) {
        for row in 0..self.0.order {
            sum[row] += dot(&self.0.row(row)[..=row], &z[..=row]);
        }
    }

    /// The natural logarithm of the determinant of L.
    pub fn ln_determinant(&self) -> f64 {
        (0..self.0.order).map(|row| self.0.row(row)[row].ln()).sum()
    }
}

/// The sum of products. In four strands, so that the processor need not wait for each sum.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (a4, b4) = (a.chunks_exact(4), b.chunks_exact(4));
    let rest: f64 = a4.remainder().iter().zip(b4.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a4.zip(b4) {
        for lane in 0..4 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_gives_the_matrix_back() {
        let matrix = Matrix::symmetric(7, |row, column| {
            (-0.5 * (row as f64 - column as f64).powi(2)).exp() + if row == column { 0.1 } else { 0.0 }
        });
        let lower = matrix.cholesky();
        for column in 0..7 {
            let mut b = matrix.row(column).to_vec();
            lower.solve(&mut b);
            // L⁻¹·A is Lᵀ: its column is a row of L.
            let expected = &lower.0.row(column)[..=column];
            assert!(b.iter().zip(expected).all(|(b, expected)| (b - expected).abs() < 1e-9));
            assert!(b[column + 1..].iter().all(|value| value.abs() < 1e-9));
        }
    }

    #[test]
    fn a_singular_matrix_is_raised_until_it_has_a_factor() {
        let lower = Matrix::symmetric(3, |_, _| 1.0).cholesky();
        let mut sum = [0.0; 3];
        lower.add_product(&[1.0, 0.0, 0.0], &mut sum);
        assert!(sum.iter().all(|value| (value - 1.0).abs() < 1e-5), "{sum:?}");
    }

    #[test]
    fn long_and_short_sums_of_products_are_exact() {
        let a: Vec<f64> = (0..11).map(f64::from).collect();
        assert_eq!(dot(&a, &a), 385.0);
        assert_eq!(dot(&a[..3], &a[..3]), 5.0);
    }
}
