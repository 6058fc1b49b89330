//! Colours. The same as in `web/style.css`, which colours the legend; a test compares them.

use plotters::style::RGBColor;

/// How many colours runs are told apart by; further ones start over.
pub const COLOURS: usize = 8;

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

/// On white. Every colour has a contrast of at least 4.5 to the paper, as text needs.
pub const LIGHT: Theme = Theme {
    paper: rgb(0xff_ff_ff),
    ink: rgb(0x1f_29_33),
    grid: rgb(0xe1_e5_ea),
    time: rgb(0x1d_5f_d1),
    cost: rgb(0xb4_41_0e),
    runs: [
        rgb(0x1d_5f_d1),
        rgb(0xb4_41_0e),
        rgb(0x0b_75_4b),
        rgb(0x8a_2f_b5),
        rgb(0xb0_1e_5a),
        rgb(0x00_6d_86),
        rgb(0x7a_5b_00),
        rgb(0x50_58_6b),
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
        rgb(0x58_d0_a0),
        rgb(0xd2_9b_f5),
        rgb(0xff_8f_ba),
        rgb(0x5c_cb_e6),
        rgb(0xe0_bf_55),
        rgb(0xb3_bc_cd),
    ],
};
