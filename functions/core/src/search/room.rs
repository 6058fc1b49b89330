//! How far a search is, and what it may still spend.

use super::{Block, Stop};

/// How far a search is.
pub struct Progress {
    /// Rounds made.
    pub round: u32,
    /// Invocations left.
    pub room: u32,
    /// Why this is the end, if it is.
    pub end: Option<Stop>,
}

/// The same blocks with no more than `room` invocations in all: first fewer of each, then fewer sizes.
pub fn within(mut blocks: Vec<Block>, room: u32) -> Vec<Block> {
    // A lane's first invocation is cold, so a lane of one tells nothing.
    const LEAST: u32 = 3;
    while blocks.iter().map(|block| block.num).sum::<u32>() > room {
        let Some(largest) = blocks.iter_mut().filter(|block| block.num > LEAST).max_by_key(|block| block.num)
        else {
            // Not the first and the last: they are the range.
            let middle = blocks.len() / 2;
            if blocks.is_empty() {
                break;
            }
            blocks.remove(middle);
            continue;
        };
        largest.num -= 1;
        largest.lanes = largest.lanes.min(largest.num / 2).max(1);
    }
    blocks
}
