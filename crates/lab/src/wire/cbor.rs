//! As much CBOR (RFC 8949) as Smithy's RPC v2 protocol needs: newer CloudWatch clients speak it.

use serde_json::{Map, Number, Value};

/// Deeper than any AWS input; keeps hostile bodies from exhausting the stack.
const MAX_DEPTH: u8 = 32;

/// Encodes a JSON value. An object `{"$timestamp": seconds}` becomes a tagged epoch time.
pub(super) fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, value);
    out
}

/// Decodes one item; `None` when the bytes are not CBOR of a kind that AWS clients send.
pub(super) fn decode(bytes: &[u8]) -> Option<Value> {
    let mut reader = Reader { rest: bytes };
    reader.item(0)
}

fn head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    match argument {
        0..24 => out.push(major | u8::try_from(argument).unwrap_or_default()),
        24..0x100 => {
            out.push(major | 24);
            out.push(u8::try_from(argument).unwrap_or_default());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&argument.to_be_bytes());
        }
    }
}

fn write(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(0xf6),
        Value::Bool(false) => out.push(0xf4),
        Value::Bool(true) => out.push(0xf5),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => {
            head(out, 3, text.len() as u64);
            out.extend_from_slice(text.as_bytes());
        }
        Value::Array(items) => {
            head(out, 4, items.len() as u64);
            items.iter().for_each(|item| write(out, item));
        }
        Value::Object(members) => {
            if let Some(Value::Number(seconds)) = members.get("$timestamp") {
                head(out, 6, 1);
                write_number(out, seconds);
                return;
            }
            let present = members.iter().filter(|(_, member)| !member.is_null());
            head(out, 5, present.clone().count() as u64);
            for (name, member) in present {
                head(out, 3, name.len() as u64);
                out.extend_from_slice(name.as_bytes());
                write(out, member);
            }
        }
    }
}

fn write_number(out: &mut Vec<u8>, number: &Number) {
    if let Some(unsigned) = number.as_u64() {
        head(out, 0, unsigned);
    } else if let Some(signed) = number.as_i64() {
        head(out, 1, (-1 - signed).unsigned_abs());
    } else {
        out.push(0xfb);
        out.extend_from_slice(&number.as_f64().unwrap_or_default().to_be_bytes());
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(head)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn big_endian(&mut self, count: usize) -> Option<u64> {
        Some(
            self.take(count)?
                .iter()
                .fold(0, |sum, byte| (sum << 8) | u64::from(*byte)),
        )
    }

    /// The argument of an item head; `None` inside `Some` means indefinite length.
    fn argument(&mut self, low: u8) -> Option<Option<u64>> {
        Some(Some(match low {
            0..24 => u64::from(low),
            24 => self.big_endian(1)?,
            25 => self.big_endian(2)?,
            26 => self.big_endian(4)?,
            27 => self.big_endian(8)?,
            31 => return Some(None),
            _ => return None,
        }))
    }

    fn at_break(&mut self) -> bool {
        if let Some((0xff, rest)) = self.rest.split_first() {
            self.rest = rest;
            return true;
        }
        false
    }

    fn item(&mut self, depth: u8) -> Option<Value> {
        if depth > MAX_DEPTH {
            return None;
        }
        let first = self.byte()?;
        let (major, low) = (first >> 5, first & 31);
        if major == 7 {
            return match low {
                20 => Some(Value::Bool(false)),
                21 => Some(Value::Bool(true)),
                22 | 23 => Some(Value::Null),
                26 => {
                    let bits = u32::try_from(self.big_endian(4)?).ok()?;
                    Some(
                        Number::from_f64(f64::from(f32::from_bits(bits)))
                            .map_or(Value::Null, Value::Number),
                    )
                }
                27 => {
                    let number = f64::from_bits(self.big_endian(8)?);
                    Some(Number::from_f64(number).map_or(Value::Null, Value::Number))
                }
                _ => None,
            };
        }
        let argument = self.argument(low)?;
        match major {
            0 => Some(Value::from(argument?)),
            1 => Some(Value::from(-1 - i64::try_from(argument?).ok()?)),
            2 | 3 => {
                let bytes = self.take(usize::try_from(argument?).ok()?)?;
                Some(Value::String(String::from_utf8_lossy(bytes).into_owned()))
            }
            4 => {
                let mut items = Vec::new();
                while self.more(argument, items.len())? {
                    items.push(self.item(depth + 1)?);
                }
                Some(Value::Array(items))
            }
            5 => {
                let mut members = Map::new();
                let mut count = 0;
                while self.more(argument, count)? {
                    let Value::String(name) = self.item(depth + 1)? else {
                        return None;
                    };
                    members.insert(name, self.item(depth + 1)?);
                    count += 1;
                }
                Some(Value::Object(members))
            }
            6 => self.item(depth + 1),
            _ => None,
        }
    }

    fn more(&mut self, count: Option<u64>, read: usize) -> Option<bool> {
        match count {
            Some(count) => Some((read as u64) < count),
            None if self.rest.is_empty() => None,
            None => Some(!self.at_break()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_survive_the_round_trip() {
        let value = json!({
            "text": "ü", "small": 7, "byte": 200, "large": 1_700_000_000_u64, "minus": -300,
            "list": [true, false, 1.5], "map": {"a": {}},
        });
        assert_eq!(decode(&encode(&value)), Some(value));
    }

    #[test]
    fn timestamps_are_tagged() {
        assert_eq!(encode(&json!({"$timestamp": 1})), [0xc1, 0x01]);
        assert_eq!(decode(&[0xc1, 0x01]), Some(json!(1)));
    }

    #[test]
    fn indefinite_maps_are_read() {
        assert_eq!(
            decode(&[0xbf, 0x61, b'a', 0x9f, 0x01, 0xff, 0xff]),
            Some(json!({"a": [1]}))
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = decode(&bytes);
        }
    }
}
