//! Colours. The same as in `web/style.css`, which colours the legend; a test compares them.

use plotters::style::RGBColor;

/// How many colours runs are told apart by; further ones start over.
pub const COLOURS: usize = 10;

/// What the points of runs look like in text, in turn by run; the chart draws the same shapes.
pub const SHAPES: [&str; 5] = ["●", "■", "▲", "◆", "▼"];

/// The colours of one chart.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    /// Behind everything.
    pub paper: RGBColor,
    /// Text and axes.
    pub ink: RGBColor,
    /// Grid lines.
    pub grid: RGBColor,
    /// Durations, when there is one run.
    pub time: RGBColor,
    /// Costs, when there is one run.
    pub cost: RGBColor,
    /// Runs, when there are several.
    pub runs: [RGBColor; COLOURS],
}

const fn rgb(hex: u32) -> RGBColor {
    RGBColor((hex >> 16) as u8, (hex >> 8) as u8, hex as u8)
}

/// On white. Text has a contrast of at least 4.5 to the paper, lines of at least 3. Any two runs' colours differ by a ΔE00 of at least 10,
/// also for eyes without one of the three kinds of cones.
pub const LIGHT: Theme = Theme {
    paper: rgb(0xff_ff_ff),
    ink: rgb(0x1f_29_33),
    grid: rgb(0xe1_e5_ea),
    time: rgb(0x1d_5f_d1),
    cost: rgb(0xb4_41_0e),
    runs: [
        rgb(0x1d_5f_d1),
        rgb(0xb4_41_0e),
        rgb(0x20_98_ff),
        rgb(0x75_00_00),
        rgb(0x8d_92_a2),
        rgb(0xeb_73_0d),
        rgb(0x2c_2f_71),
        rgb(0xaa_90_7a),
        rgb(0x46_31_38),
        rgb(0x74_67_63),
    ],
};

/// On near-black, with the same contrast.
pub const DARK: Theme = Theme {
    paper: rgb(0x14_18_1f),
    ink: rgb(0xe6_e9_ee),
    grid: rgb(0x2e_35_40),
    time: rgb(0x7f_b0_ff),
    cost: rgb(0xff_a0_6b),
    runs: [
        rgb(0x7f_b0_ff),
        rgb(0xff_a0_6b),
        rgb(0x13_ff_c0),
        rgb(0x6c_71_f6),
        rgb(0xd0_5f_0a),
        rgb(0xff_ff_00),
        rgb(0x94_7b_6d),
        rgb(0xde_f5_ff),
        rgb(0xb2_aa_b2),
        rgb(0x80_7e_9a),
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    type Three = [f64; 3];

    /// Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB: no change, protanopia, deuteranopia, tritanopia.
    const EYES: [[Three; 3]; 4] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ];

    fn times(matrix: &[Three; 3], v: Three) -> Three {
        matrix.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
    }

    fn linear(colour: RGBColor) -> Three {
        [colour.0, colour.1, colour.2].map(|channel| {
            let c = f64::from(channel) / 255.0;
            if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        })
    }

    fn lab(rgb: Three) -> Three {
        const XYZ: [Three; 3] = [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ];
        let xyz = times(&XYZ, rgb.map(|c| c.clamp(0.0, 1.0)));
        let f = |value: f64, white: f64| {
            let t = value / white;
            if t > 216.0 / 24389.0 { t.cbrt() } else { (24389.0 / 27.0 * t + 16.0) / 116.0 }
        };
        let (x, y, z) = (f(xyz[0], 0.95047), f(xyz[1], 1.0), f(xyz[2], 1.08883));
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    /// CIEDE2000 (Sharma, Wu and Dalal 2005).
    fn difference([l1, a1, b1]: Three, [l2, a2, b2]: Three) -> f64 {
        let seventh = |c: f64| (c.powi(7) / (c.powi(7) + 25f64.powi(7))).sqrt();
        let g = 0.5 * (1.0 - seventh((a1.hypot(b1) + a2.hypot(b2)) / 2.0));
        let (a1, a2) = (a1 * (1.0 + g), a2 * (1.0 + g));
        let (c1, c2) = (a1.hypot(b1), a2.hypot(b2));
        let hue = |a: f64, b: f64| {
            if a == 0.0 && b == 0.0 { 0.0 } else { b.atan2(a).to_degrees().rem_euclid(360.0) }
        };
        let (h1, h2) = (hue(a1, b1), hue(a2, b2));
        let mut turn = h2 - h1;
        let mut mean = (h1 + h2) / 2.0;
        if c1 * c2 == 0.0 {
            (turn, mean) = (0.0, h1 + h2);
        } else if turn.abs() > 180.0 {
            mean += if h1 + h2 < 360.0 { 180.0 } else { -180.0 };
            turn -= 360.0 * turn.signum();
        }
        let big_h = 2.0 * (c1 * c2).sqrt() * (turn / 2.0).to_radians().sin();
        let (l, c) = ((l1 + l2) / 2.0, (c1 + c2) / 2.0);
        let cos = |factor: f64, off: f64| (factor * mean + off).to_radians().cos();
        let t = 1.0 - 0.17 * cos(1.0, -30.0) + 0.24 * cos(2.0, 0.0) + 0.32 * cos(3.0, 6.0)
            - 0.2 * cos(4.0, -63.0);
        let far = (l - 50.0).powi(2);
        let (sl, sc, sh) = (1.0 + 0.015 * far / (20.0 + far).sqrt(), 1.0 + 0.045 * c, 1.0 + 0.015 * c * t);
        let rotation = 60.0 * (-((mean - 275.0) / 25.0).powi(2)).exp();
        let rt = -2.0 * seventh(c) * rotation.to_radians().sin();
        let (dl, dc, dh) = ((l2 - l1) / sl, (c2 - c1) / sc, big_h / sh);
        (dl * dl + dc * dc + dh * dh + rt * dc * dh).sqrt()
    }

    fn contrast(a: RGBColor, b: RGBColor) -> f64 {
        let light = |colour| {
            let [r, g, b] = linear(colour);
            0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05
        };
        let (a, b) = (light(a), light(b));
        a.max(b) / a.min(b)
    }

    /// Pairs of the data that Sharma, Wu and Dalal published with the formula.
    #[test]
    fn the_difference_of_colours_is_that_of_the_standard() {
        for (a, b, wanted) in [
            ([50.0, 2.6772, -79.7751], [50.0, 0.0, -82.7485], 2.0425),
            ([50.0, -1.0, 2.0], [50.0, 0.0, 0.0], 2.3669),
            ([50.0, 2.49, -0.001], [50.0, -2.49, 0.0011], 7.2195),
            ([50.0, 2.5, 0.0], [73.0, 25.0, -18.0], 27.1492),
            ([60.2574, -34.0099, 36.2677], [60.4626, -34.1751, 39.4387], 1.2644),
            ([2.0776, 0.0795, -1.1350], [0.9033, -0.0636, -0.5514], 0.9082),
        ] {
            let found = difference(a, b);
            assert!((found - wanted).abs() < 1e-4, "{found} for {wanted}");
        }
    }

    #[test]
    fn runs_are_told_apart_by_every_kind_of_eyes() {
        for theme in [LIGHT, DARK] {
            for eyes in &EYES {
                let seen: Vec<Three> =
                    theme.runs.iter().map(|&colour| lab(times(eyes, linear(colour)))).collect();
                for a in 0..seen.len() {
                    for b in 0..a {
                        let apart = difference(seen[a], seen[b]);
                        assert!(apart >= 10.0, "{a} and {b}: {apart} for {eyes:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn lines_and_texts_stand_out_from_the_paper() {
        for theme in [LIGHT, DARK] {
            for text in [theme.ink, theme.time, theme.cost] {
                assert!(contrast(text, theme.paper) >= 4.5);
            }
            for (index, line) in theme.runs.into_iter().enumerate() {
                assert!(contrast(line, theme.paper) >= 3.0, "{index}: {}", contrast(line, theme.paper));
            }
        }
    }
}
