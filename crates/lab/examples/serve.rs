//! Serves one scenario until it is stopped; the first line it prints is JSON with the URL and the
//! keys.
//!
//! `cargo run -p ecs-agent-lab --example serve -- --scenario demo --port 0 --speed 60`

use std::error::Error;
use std::io::{Write, stdout};
use std::net::SocketAddr;

use ecs_agent_lab::{ClockMode, LabConfig, LabServer, Scenario};
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut scenario, mut port, mut clock) = (Scenario::named("demo"), 0, ClockMode::Speed(1.0));
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments
            .next()
            .ok_or_else(|| format!("`{name}` needs a value"))?;
        match name.as_str() {
            "--scenario" if value.ends_with(".yaml") => {
                scenario = Scenario::parse(&value, &std::fs::read_to_string(&value)?);
            }
            "--scenario" => scenario = Scenario::named(&value),
            "--isolation" => {
                scenario = Scenario::isolation(value.parse()?, &["eu-west-1", "us-east-1"]);
            }
            "--port" => port = value.parse()?,
            "--clock" if value == "manual" => clock = ClockMode::Manual,
            "--speed" => clock = ClockMode::Speed(value.parse()?),
            _ => return Err(format!("`{name}` is not an option").into()),
        }
    }
    let listen = SocketAddr::from(([127, 0, 0, 1], port));
    let lab = LabServer::start(LabConfig::new(scenario?).listen(listen).clock(clock)).await?;
    let first = json!({"url": lab.url(), "accounts": lab.accounts()});
    writeln!(stdout(), "{first}")?;
    lab.wait().await?;
    Ok(())
}
