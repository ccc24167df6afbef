use serde::Serialize;
use sha2::{Digest, Sha256};

/// A stream of ids and small random numbers that depends on nothing but its seed and its name.
///
/// Each service has its own stream, so what happens to one service never changes another's ids.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Ids {
    seed: String,
    drawn: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        Self {
            seed: format!("{seed}/{name}"),
            drawn: 0,
        }
    }

    fn draw(&mut self) -> [u8; 32] {
        self.drawn += 1;
        Sha256::new_with_prefix(self.seed.as_bytes())
            .chain_update(self.drawn.to_be_bytes())
            .finalize()
            .into()
    }

    /// `length` lower-case hexadecimal digits, at most 64.
    pub(crate) fn hex(&mut self, length: usize) -> String {
        let mut text = hex::encode(self.draw());
        text.truncate(length);
        text
    }

    /// `length` decimal digits, the first not zero; at most 32.
    pub(crate) fn digits(&mut self, length: usize) -> String {
        let bytes = self.draw();
        bytes
            .iter()
            .take(length)
            .enumerate()
            .map(|(place, byte)| {
                let digit = if place == 0 { byte % 9 + 1 } else { byte % 10 };
                char::from(b'0' + digit)
            })
            .collect()
    }

    /// `length` characters of AWS's key alphabet (A-Z and 2-7), at most 32.
    pub(crate) fn base32(&mut self, length: usize) -> String {
        self.draw()
            .iter()
            .take(length)
            .map(|byte| {
                let value = byte % 32;
                char::from(if value < 26 {
                    b'A' + value
                } else {
                    b'2' + value - 26
                })
            })
            .collect()
    }

    /// A number below `bound`; zero if the bound is zero.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        let [a, b, c, d, ..] = self.draw();
        u32::from_be_bytes([a, b, c, d])
            .checked_rem(bound)
            .unwrap_or(0)
    }

    /// A stream of its own for a part of the world.
    pub(crate) fn child(&self, name: &str) -> Self {
        Self {
            seed: format!("{}/{name}", self.seed),
            drawn: 0,
        }
    }
}
