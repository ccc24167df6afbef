//! Plays language model providers on the loopback interface, for tests.
//!
//! A [`ModelLab`] answers Anthropic's Messages, OpenAI's Chat Completions and OpenAI's Responses,
//! whole or streamed, as a [`Script`] says. It is as strict as the providers are: a tool call
//! without its answer, an id that they would not take, a conversation larger than the window and a
//! wrong key are refused in their words. It keeps every request, and adds up exactly the usage
//! figures that reached whoever asked, also of an answer that was cut.
//!
//! It shares no code with the `models` crate, which is tested against it; the providers' own Python
//! clients are tested against it as well, so that neither of the two is taken at its word.

mod answer;
mod delivery;
mod figures;
mod form;
mod lab;
mod ledger;
mod turn;

pub use answer::{Answer, Call, Cut, End, Failure, Reply};
pub use figures::Figures;
pub use form::Form;
pub use lab::{LabSettings, ModelLab, Script};
pub use ledger::Exchange;
pub use turn::{Item, Turn};
