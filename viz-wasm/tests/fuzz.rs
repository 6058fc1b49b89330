//! A million fragments, valid, damaged and random, through the codec and the view model: none panics, whatever opens can be
//! written and opened again, and what was written by us comes back as it was. The seed is fixed, so a failure repeats.

use std::sync::atomic::{AtomicUsize, Ordering};
use tuning::url::{About, Choice, Extras, Link, Run, encode_hash};
use viz_wasm::chart::Scene;
use viz_wasm::view::View;
use viz_wasm::view::html::problem;

const HASHES: u64 = 1_000_000;
const ACTIONS: [(&str, &str); 16] = [
    ("view", "front"),
    ("month", "10 M"),
    ("limit", "300"),
    ("hide", "cold"),
    ("x", ""),
    ("y", ""),
    ("weight", "0.35"),
    ("hide", "time"),
    ("hide", "r0"),
    ("sort", "cost"),
    ("run", "1"),
    ("rename", "<b>;#%"),
    ("earlier", ""),
    ("later", ""),
    ("remove", ""),
    ("add", "https://e.org/?currency=CNY#gAA=;AADIQg==;AADIQg=="),
];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Any float that a link may hold: small and large, zeros and the ends of the range.
    fn amount(&mut self) -> f32 {
        match self.below(12) {
            0 => 0.0,
            1 => f32::MAX,
            2 => f32::MIN_POSITIVE,
            3 => f32::from_bits(self.next() as u32 % 0x7f80_0000),
            _ => (self.next() % 1_000_000_000) as f32 * 10f32.powi(-(self.below(16) as i32)),
        }
    }

    fn amounts(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.amount()).collect()
    }

    fn run(&mut self) -> Run {
        let count = 1 + self.below(8);
        let mut sizes: Vec<u32> = (0..count).map(|_| 1 + self.below(10_240) as u32).collect();
        sizes.sort_unstable();
        let (times, costs) = (self.amounts(count), self.amounts(count));
        let mut extras = Extras::default();
        if self.below(3) == 0 {
            (extras.stddev, extras.p50, extras.p95) =
                (self.amounts(count), self.amounts(count), self.amounts(count));
            extras.current = Some(1 + self.below(10_240) as u32);
            extras.cold = self.amounts(count);
            let by = (*self.pick(&["cost", "speed", "limit", "?"])).to_owned();
            let power = if self.below(2) == 0 { sizes[0] } else { 1 + self.below(10_240) as u32 };
            let sure = (0..self.below(5)).map(|_| self.below(1001) as u32).collect();
            extras.choice = Some(Choice { power, by, sure });
            extras.about = Some(About { function: "<b>.;".to_owned(), num: Some(20), ..About::default() });
        }
        let name = self.pick(&["", "JS x86", "<img src=x>", "\u{202e}עברית", "a;b:c#d%e&f", "=1+1"]);
        Run { name: (*name).to_owned(), sizes, times, costs, extras }
    }

    fn link(&mut self) -> Link {
        let runs = (0..1 + self.below(3)).map(|_| self.run()).collect();
        Link { runs, others: Vec::new() }
    }

    fn character(&mut self) -> char {
        match self.below(6) {
            0 => *self.pick(&[';', ':', '=', '%', '#', '.', ',', '-', '+', '/', ' ', '&']),
            1 => char::from_u32(self.next() as u32 % 0x11_0000).unwrap_or('\u{fffd}'),
            _ => char::from(b"ABCDabcd0123xyz"[self.below(15)]),
        }
    }

    /// A fragment with some of what happens to text on its way.
    fn damage(&mut self, hash: &str) -> String {
        let mut text: Vec<char> = hash.chars().collect();
        for _ in 0..1 + self.below(4) {
            let at = self.below(text.len().max(1));
            match self.below(8) {
                0 => text.truncate(at),
                1 => drop(text.drain(..at.min(text.len()))),
                2 => text.insert(at.min(text.len()), self.character()),
                3 if at < text.len() => drop(text.remove(at)),
                4 => text = text.iter().map(|&c| if c == '+' { ' ' } else { c }).collect(),
                5 => {
                    let parts =
                        ["x:linear", "y:log", "weight:0.3", "weight:9", "hide:time,r1,r0,r99", "sort:-cost"];
                    let more =
                        ["run:1", "p95:AAAA", "sd.1:AAAAAA==", "current:0", "zz.4294967296:a", "p50.x:%"];
                    text.push(';');
                    let part = if self.below(2) == 0 { self.pick(&parts) } else { self.pick(&more) };
                    text.extend(part.chars());
                }
                6 => {
                    text = text
                        .iter()
                        .flat_map(|&c| if c == ';' { vec!['%', '3', 'B'] } else { vec![c] })
                        .collect()
                }
                _ if at < text.len() => text[at] = self.character(),
                _ => {}
            }
        }
        text.into_iter().collect()
    }
}

/// One of the things that the page asks of a view.
fn something(view: &View, random: &mut Random) {
    match random.below(8) {
        0 => drop(view.legend() + &view.chooser()),
        1 => drop(
            view.cards()
                + &view.summary()
                + &view.answer()
                + &view.change()
                + &view.subject()
                + &view.monthly(),
        ),
        2 => drop(view.table() + &view.sure() + &view.kept()),
        3 => drop(view.list()),
        4 => drop(view.csv()),
        5 => {
            let scene = Scene::new(view, 640, 400, 1.5);
            if let Some(size) = scene.nearest(random.below(640) as i32) {
                assert!(view.readout(size).contains("<data") && !view.spoken(size).is_empty());
            }
        }
        _ => {
            let (action, value) = random.pick(&ACTIONS);
            if let Ok(hash) = view.act(action, random.below(4), value) {
                View::open(&hash, "").expect("an action leads to a link that opens");
            }
        }
    }
}

fn one(number: u64) -> bool {
    let mut random = Random(number.wrapping_mul(0xd134_2543_de82_ef95));
    let kind = random.below(4);
    let hash = if kind == 3 {
        (0..random.below(80)).map(|_| random.character()).collect()
    } else {
        let link = random.link();
        let valid = encode_hash(&link).expect("what a run can hold can be written");
        if kind == 0 {
            let view = View::open(&valid, "").expect("what was written opens");
            assert_eq!(view.runs, link.runs);
            assert_eq!(view.hash().as_deref(), Ok(valid.as_str()));
            valid
        } else {
            random.damage(&valid)
        }
    };
    match View::open(&hash, "?currency=CNY") {
        Ok(view) => {
            let again = view.hash().expect("what was opened can be written");
            assert_eq!(View::open(&again, "?currency=CNY").as_ref(), Ok(&view), "{hash}");
            something(&view, &mut random);
            true
        }
        Err(error) => {
            assert!(problem(&error).contains("id=\"example\""));
            false
        }
    }
}

#[test]
fn a_million_fragments_are_shown_or_explained() {
    let (next, opened) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed) as u64;
                    if number >= HASHES {
                        break;
                    }
                    let good = std::panic::catch_unwind(|| one(number))
                        .unwrap_or_else(|_| panic!("fragment {number} failed"));
                    opened.fetch_add(usize::from(good), Ordering::Relaxed);
                }
            });
        }
    });
    // Both ways are walked, often.
    let opened = opened.into_inner() as u64;
    assert!((HASHES / 4..HASHES * 3 / 4).contains(&opened), "{opened} opened");
}
