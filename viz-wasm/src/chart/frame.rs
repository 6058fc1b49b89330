//! The canvas as device pixels.

/// A canvas of some device pixels, `ratio` of which are one CSS pixel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) ratio: f64,
}

impl Frame {
    pub(super) fn new(width: u32, height: u32, ratio: f64) -> Self {
        Self { width, height, ratio: if ratio.is_finite() { ratio.clamp(0.25, 16.0) } else { 1.0 } }
    }

    /// A length of so many CSS pixels.
    pub(super) fn px(self, css: f64) -> i32 {
        (css * self.ratio).round() as i32
    }

    /// The width of thin lines: whole pixels, so that they are sharp.
    pub(super) fn hair(self) -> u32 {
        self.ratio.round().max(1.0) as u32
    }

    /// Whether it is narrower than so many CSS pixels.
    pub(super) fn is_narrower(self, css: f64) -> bool {
        f64::from(self.width) < css * self.ratio
    }

    /// The first and last pixel column between the value axes: room for labels beside them, less on narrow screens. On wide ones lines may
    /// end in `names`, which take more.
    pub(super) fn sides(self, names: bool) -> (i32, i32) {
        let side = self.px(if self.is_narrower(500.0) { 48.0 } else { 64.0 });
        let right = if names && !self.is_narrower(700.0) { self.px(120.0) } else { side };
        (side, (self.width as i32 - right).max(side + 1))
    }
}
