//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use ecs_agent_credentials::{EndpointUrl, Region, RoleArn};
use ecs_agent_mcp::{Digest, ServerName};
use ecs_agent_models::BaseUrl;
use ecs_agent_server::Action;
use ecs_agent_store::{ApiKeyId, TenantId};

use crate::config::{CredentialKeyword, DatabasePlace, Layer, McpTable, ModelChoice, ModelsTable};
use crate::exit::Exit;
use crate::span::Span;

/// Finds, diagnoses and repairs an unwell Amazon ECS service, with a person's approval.
///
/// Try it without an account, a key or a network: `ecs-deep-agent demo`
#[derive(Debug, Parser)]
#[command(name = "ecs-deep-agent", version, after_help = Exit::table(), max_term_width = 100)]
#[command(propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) output: OutputFlags,
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Break a service in the built-in fault lab, then diagnose and repair it.
    Demo(DemoArguments),
    /// Diagnose a service and, once the plan is approved, repair and verify it.
    Run(RequestArguments),
    /// Diagnose a service, read-only: nothing is planned, asked or changed.
    Diagnose(RequestArguments),
    /// Simulate AWS on this machine: any AWS client can be pointed at it.
    Lab(LabArguments),
    /// Measure the agent on scenarios: causes, gaps, grounding, repairs, calls and time.
    Eval(EvalArguments),
    /// Serve threads and runs to LangGraph clients over HTTP.
    Serve(ServeArguments),
    /// Make, list, rotate and revoke the API keys that `serve --auth keys` asks for.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Offer tools to coding assistants: Model Context Protocol on standard input and output.
    Mcp,
    /// List the threads of the data directory, newest first.
    Threads,
    /// Continue a thread where it stopped: after a question, an approval, a crash.
    Resume(ResumeArguments),
    /// Show a thread's report.
    Report(ThreadArgument),
    /// Try each thing that a run needs, once: database, models, AWS credentials.
    Doctor,
    /// Print the AWS roles that this program needs, or the session policies of a thread's plan.
    Permissions(PermissionsArguments),
    /// Look at other people's MCP servers and accept them, as they are, for diagnoses.
    #[command(subcommand)]
    McpServers(McpServersCommand),
    /// Check and read the record of what was done: a chain that shows every change to it.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Show or check the configuration as the program sees it.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the completion script of a shell.
    Completions {
        /// The shell to complete for.
        shell: Shell,
    },
}

/// `demo` and its other face, `demo isolation`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct DemoArguments {
    #[command(subcommand)]
    pub(crate) other: Option<DemoCommand>,
    /// Scenario to play; `ecs-deep-agent lab --list` names them all.
    #[arg(long, value_name = "NAME", default_value = "demo")]
    pub(crate) scenario: String,
    /// How many times faster than ours simulated time passes while the agent waits.
    #[arg(long, value_name = "FACTOR", default_value_t = 60.0, value_parser = speed)]
    pub(crate) speed: f64,
}

/// What else can be demonstrated.
#[derive(Debug, Subcommand)]
pub(crate) enum DemoCommand {
    /// Many users at once, each with other keys, accounts and regions: who signed what?
    Isolation {
        /// How many invocations to run at once, and as many again one after another.
        #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1000))]
        invocations: u32,
        /// Print JSON; the same as `--format json`.
        #[arg(long)]
        json: bool,
    },
}

/// What a person asks for.
#[derive(Debug, Args)]
pub(crate) struct RequestArguments {
    /// What is wrong, in your words: "my api service keeps restarting".
    pub(crate) text: String,
}

/// `lab` and its other face, `lab validate`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct LabArguments {
    #[command(subcommand)]
    pub(crate) other: Option<LabCommand>,
    /// List the built-in scenarios with their failure modes and end.
    #[arg(long, conflicts_with_all = ["scenario", "port", "speed", "clock"])]
    pub(crate) list: bool,
    /// Scenario to play: a built-in name or a YAML file.
    #[arg(long, value_name = "NAME|FILE", default_value = "demo")]
    pub(crate) scenario: String,
    /// Port to listen on at 127.0.0.1; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub(crate) port: u16,
    /// How many times faster than ours the simulated time passes.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = speed)]
    pub(crate) speed: f64,
    /// Whether simulated time runs, or moves only when it is told to.
    #[arg(long, value_enum, value_name = "CLOCK", default_value = "running")]
    pub(crate) clock: LabClock,
    /// Milliseconds that every answer of AWS is held back, as a network does.
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub(crate) latency: u16,
    /// Print JSON; the same as `--format json`.
    #[arg(long)]
    pub(crate) json: bool,
}

/// What else there is to do with scenarios.
#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// Explain every mistake of scenario files by line and field; exit code 2 when there is one.
    ///
    /// Looks at the form of each file, at what its parts say about each other, and at the world it
    /// makes: whether the symptoms show, and whether the truth is so.
    Validate {
        /// Scenario files (YAML); docs/scenarios.md describes them.
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// `eval`.
#[derive(Debug, Args)]
pub(crate) struct EvalArguments {
    /// Folder of scenario files [default: the built-in scenarios].
    #[arg(long, value_name = "DIR")]
    pub(crate) scenarios: Option<PathBuf>,
    /// Play only the scenario of this name; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Approve and carry out every plan, and ask the lab whether the service is healthy then.
    #[arg(long)]
    pub(crate) repair: bool,
    /// Write all figures to this file as JSON, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Delay of each of the lab's answers, in milliseconds. Below a few, round trips that wait for
    /// each other cannot be told from those that do not.
    #[arg(long, value_name = "MS", default_value_t = 20, value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub(crate) delay_ms: u16,
}

/// How the time of a lab passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LabClock {
    /// By itself, at `--speed`.
    Running,
    /// By `POST /lab/clock/advance?seconds=N`.
    Manual,
}

/// `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// Port to listen on; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 2024)]
    pub(crate) port: u16,
    /// Address to listen on; one that other machines reach needs `--auth keys`.
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(crate) address: IpAddr,
    /// What is asked of whoever calls.
    #[arg(long, value_enum, value_name = "HOW", default_value = "none")]
    pub(crate) auth: Auth,
    /// Tenant whose AWS credentials the configured ones are: keys of other tenants start no run here.
    #[arg(
        long,
        value_name = "TENANT",
        default_value = "local",
        requires = "auth"
    )]
    pub(crate) tenant: TenantId,
    /// Name that clients call this server by; may be given several times.
    #[arg(long, value_name = "NAME")]
    pub(crate) allow_host: Vec<String>,
    /// Origin of web pages that may call, such as `https://ui.example.com`; may be given several times.
    #[arg(long, value_name = "ORIGIN")]
    pub(crate) allow_origin: Vec<String>,
}

/// What `serve` asks of whoever calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Auth {
    /// Nothing: single-user development mode on a loopback address.
    None,
    /// An API key that `keys create` made.
    Keys,
}

/// `keys`.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key and show it: this once, and never again.
    Create {
        /// What the key is for.
        #[arg(long, value_name = "NAME")]
        name: String,
        /// Who acts with it: named in approvals, in the audit chain and in AWS's audit trail.
        #[arg(long, value_name = "PERSON")]
        person: String,
        /// What it may be used for.
        #[arg(long, value_name = "ACTIONS", value_delimiter = ',', required = true)]
        allow: Vec<Action>,
        /// How many days it lives, at most 366.
        #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..=366))]
        days: u16,
        #[command(flatten)]
        tenant: TenantArgument,
    },
    /// List the tenant's keys, newest first; their secrets are nowhere.
    List {
        #[command(flatten)]
        tenant: TenantArgument,
    },
    /// End a key at once.
    Revoke {
        /// The key's id, as `keys list` shows it.
        id: ApiKeyId,
        #[command(flatten)]
        tenant: TenantArgument,
    },
    /// Replace a key by a new one; the old one goes on for a while, so that its users can change over.
    Rotate {
        /// The key's id, as `keys list` shows it.
        id: ApiKeyId,
        /// How long the old key goes on.
        #[arg(long, value_name = "TIME", default_value = "24h")]
        overlap: Span,
        #[command(flatten)]
        tenant: TenantArgument,
    },
}

/// Names a tenant.
#[derive(Debug, Args)]
pub(crate) struct TenantArgument {
    /// Whose key it is; `local` is the tenant of this program's own threads.
    #[arg(long, value_name = "TENANT", default_value = "local")]
    pub(crate) tenant: TenantId,
}

/// `resume`.
#[derive(Debug, Args)]
pub(crate) struct ResumeArguments {
    #[command(flatten)]
    pub(crate) thread: ThreadArgument,
    /// Answer an open question with the option of this id.
    #[arg(long, value_name = "OPTION", conflicts_with = "reject")]
    pub(crate) choose: Option<String>,
    /// Reject the open plan, with a reason that is kept in the thread.
    #[arg(long, value_name = "REASON")]
    pub(crate) reject: Option<String>,
}

/// Names a thread.
#[derive(Debug, Args)]
pub(crate) struct ThreadArgument {
    /// The thread's id, as `threads` shows it, or enough of its end to be the only one; `last` is
    /// the newest.
    pub(crate) thread: String,
}

/// `permissions`.
#[derive(Debug, Args)]
pub(crate) struct PermissionsArguments {
    /// Form of the roles.
    #[arg(long, value_enum, value_name = "FORM", default_value = "json")]
    pub(crate) template: TemplateForm,
    /// Print the session policies of this thread's plan instead.
    #[arg(long, value_name = "THREAD", conflicts_with = "template")]
    pub(crate) plan: Option<String>,
}

/// A form in which roles can be deployed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TemplateForm {
    /// The policy documents.
    Json,
    /// An AWS CloudFormation template.
    Cloudformation,
    /// A Terraform module.
    Terraform,
}

/// `mcp-servers`.
#[derive(Debug, Subcommand)]
pub(crate) enum McpServersCommand {
    /// List the configured servers, and which were accepted.
    List,
    /// Start one without credentials and show how it differs from what was accepted.
    Show {
        /// Its name in the configuration.
        name: ServerName,
    },
    /// The same, and accept it as it is.
    Trust {
        /// Its name in the configuration.
        name: ServerName,
        /// Accept without asking, if this is the digest that was shown.
        #[arg(long, value_name = "DIGEST")]
        accept: Option<Digest>,
    },
}

/// `audit`.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check that no record was changed, removed, put in or moved.
    Verify {
        /// The head that an earlier run printed, kept somewhere else: shows that the chain was not cut
        /// or written anew since.
        #[arg(long, value_name = "HASH", value_parser = head)]
        head: Option<String>,
    },
    /// List records, one a line, oldest first.
    List {
        /// Only those of this thread.
        #[arg(long, value_name = "THREAD")]
        thread: Option<String>,
        /// How many of the newest to list.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        last: u32,
    },
    /// Show records whole, as JSON, oldest first.
    Show {
        /// Only those of this thread.
        #[arg(long, value_name = "THREAD")]
        thread: Option<String>,
        /// How many of the newest to show.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
        last: u32,
    },
}

/// `config`.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show every setting, its value and where it comes from.
    Show,
    /// Check the configuration and say what is wrong with it.
    Check,
}

/// The form of what goes to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For a person at a terminal.
    Terminal,
    /// For a ticket or a chat.
    Markdown,
    /// For a program.
    Json,
}

/// How the program talks.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputFlags {
    /// Form of the result on standard output.
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        default_value = "terminal"
    )]
    pub(crate) format: Format,
    /// Approve the plan without asking, unless it contains values that were not proven.
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
    /// Let `--yes` approve values that were not proven, too.
    #[arg(long, global = true, requires = "yes")]
    pub(crate) accept_unproven: bool,
    /// Say nothing but the result.
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more: every tool call; given twice, the program's own log too.
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Keep what the model answers in a new file, to be played again.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "replay")]
    pub(crate) record: Option<PathBuf>,
    /// Play a file that `--record` made instead of asking a model.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) replay: Option<PathBuf>,
    /// Move the clock of the lab at the endpoint instead of waiting; for `lab --clock manual`.
    #[arg(long, global = true, hide = true)]
    pub(crate) lab_clock: bool,
    /// Crash drill: end this process with SIGKILL once event N of the thread is durable.
    #[arg(long, global = true, value_name = "N", hide = true)]
    pub(crate) kill_after_event: Option<u64>,
    /// Crash drill: the same once what event N tells has happened, before that event is durable.
    #[arg(long, global = true, value_name = "N", hide = true)]
    pub(crate) kill_before_event: Option<u64>,
}

/// The strongest layer of the configuration.
#[derive(Debug, Args)]
#[command(next_help_heading = "Settings (stronger than ECS_DEEP_AGENT_* and the TOML file)")]
pub(crate) struct SettingFlags {
    /// Configuration file [default: ./ecs-deep-agent.toml, else the one in ~/.config].
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Directory of threads and reports [default: ~/.local/share/ecs-deep-agent].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Profile of the AWS configuration files to take credentials from.
    #[arg(
        long,
        global = true,
        value_name = "NAME",
        conflicts_with = "credentials"
    )]
    pub(crate) profile: Option<String>,
    /// Where else credentials come from. Keys are never arguments: other users could read them.
    #[arg(long, global = true, value_enum, value_name = "SOURCE")]
    pub(crate) credentials: Option<CredentialKeyword>,
    /// Role to assume with those credentials.
    #[arg(long, global = true, value_name = "ARN")]
    pub(crate) role_arn: Option<RoleArn>,
    /// External id that the role's trust policy asks for.
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) external_id: Option<String>,
    /// Region; there is no silent default.
    #[arg(long, global = true, value_name = "REGION")]
    pub(crate) region: Option<Region>,
    /// One endpoint instead of AWS, such as the fault lab's.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) endpoint_url: Option<EndpointUrl>,
    /// Cluster, when the words do not name it.
    #[arg(long, global = true, value_name = "CLUSTER")]
    pub(crate) cluster: Option<String>,
    /// Service, when the words do not name it.
    #[arg(long, global = true, value_name = "SERVICE")]
    pub(crate) service: Option<String>,
    /// Organisation, to choose among registered services.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) organization: Option<String>,
    /// Environment, to choose among registered services.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Model that drives the agents: `runbook`, or PROVIDER:MODEL such as `anthropic:claude-sonnet-5`.
    #[arg(long, global = true, value_name = "MODEL")]
    pub(crate) model: Option<ModelChoice>,
    /// Where that model's provider is, instead of its usual place.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) model_base_url: Option<BaseUrl>,
    /// Whether an approved plan may be carried out at all.
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) allow_write: Option<bool>,
    /// Whether log text may be read and shown.
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) allow_sensitive_data: Option<bool>,
    /// Steps after which the agent gives up.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_steps: Option<u32>,
    /// Time after which the agent gives up, such as `30m`.
    #[arg(long, global = true, value_name = "TIME")]
    pub(crate) timeout: Option<Span>,
}

impl SettingFlags {
    /// These flags as a layer of the configuration.
    pub(crate) fn layer(&self) -> Layer {
        Layer {
            model: self.model.clone(),
            model_base_url: self.model_base_url.clone(),
            models: ModelsTable::default(),
            allow_write: self.allow_write,
            allow_sensitive_data: self.allow_sensitive_data,
            region: self.region.clone(),
            credentials: self.credentials,
            profile: self.profile.clone(),
            role_arn: self.role_arn.clone(),
            external_id: self.external_id.clone(),
            endpoint_url: self.endpoint_url.clone(),
            max_steps: self.max_steps,
            timeout: self.timeout,
            cluster: self.cluster.clone(),
            service: self.service.clone(),
            organization: self.organization.clone(),
            environment: self.environment.clone(),
            data_dir: self.data_dir.clone(),
            require_narrowed: None,
            retries: None,
            prompts: None,
            database: DatabasePlace::default(),
            mcp: McpTable::default(),
            registry: None,
            services: Vec::new(),
            accounts: Vec::new(),
        }
    }
}

fn head(text: &str) -> Result<String, String> {
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    match is_hash {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("expected the 64 hexadecimal digits that a run printed".to_owned()),
    }
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(factor) if (0.1..=10_000.0).contains(&factor) => Ok(factor),
        Ok(_) | Err(_) => Err("expected a number from 0.1 to 10000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_secret_has_no_flag() {
        let command = Arguments::command();
        let names: Vec<_> = command
            .get_arguments()
            .filter_map(|argument| argument.get_long())
            .collect();
        assert!(
            !names
                .iter()
                .any(|name| name.contains("secret") || name.contains("key")),
            "{names:?}"
        );
    }
}
