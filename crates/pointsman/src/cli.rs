//! The command line: what can be said, and its help. What it does is in [`crate::commands`].

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use pointsman_providers::Class;

/// An AI model router: sends each request to the right model, on one OpenAI-compatible port.
#[derive(Debug, Parser)]
#[command(name = "pointsman", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Cli {
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server; without a configuration it uses the keys and engines that it finds
    Serve(Serve),
    /// Write a commented configuration to start from
    Init(Init),
    /// Check the configuration, and with --live each provider's key
    Check(Check),
    /// Print the JSON Schema of the configuration
    Schema,
    /// List the models that can be named, with prices
    Models(Models),
    /// Make client keys
    #[command(subcommand)]
    Keys(Keys),
    /// Show recorded requests, newest first; works while the server runs
    Log(Log),
    /// Add up what requests cost; works while the server runs
    Cost(Cost),
    /// Ask a running server whether it is ready; for health checks of containers
    Health(Health),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write the manual pages, one for each command
    #[command(hide = true)]
    Man {
        /// The folder, which must exist
        folder: PathBuf,
    },
}

/// Where the configuration is.
#[derive(Debug, Clone, Args)]
pub(crate) struct ConfigArgs {
    /// The configuration file [default: pointsman.yaml, if there is one]
    #[arg(short, long, env = "POINTSMAN_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The folder of records and credentials [default: `data.dir` of the configuration]
    #[arg(long, env = "POINTSMAN_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// `pointsman serve`
#[derive(Debug, Clone, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Listen here instead of where the configuration says; may be repeated
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Vec<SocketAddr>,
    /// Serve metrics and the control plane here
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) admin: Option<SocketAddr>,
}

/// `pointsman init`
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The file to write
    #[arg(default_value = "pointsman.yaml")]
    pub(crate) file: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    pub(crate) force: bool,
}

/// `pointsman check`
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Also call each provider once, with the cheapest request there is
    #[arg(long)]
    pub(crate) live: bool,
}

/// `pointsman models`
#[derive(Debug, Args)]
pub(crate) struct Models {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Only this provider
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// Only models of this class
    #[arg(long, value_parser = PossibleValuesParser::new(Class::ALL.map(Class::as_str)))]
    pub(crate) class: Option<String>,
    /// The whole catalogue, also of providers that are not configured
    #[arg(long)]
    pub(crate) all: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `pointsman keys`
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a new key: shown once, stored as its SHA-256
    New {
        /// The key's id, as records show it
        #[arg(long, default_value = "default")]
        id: String,
    },
    /// Print the SHA-256 of a key that is read from standard input
    Hash,
}

/// `pointsman log`
#[derive(Debug, Args)]
pub(crate) struct Log {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// At most so many
    #[arg(short = 'n', long, default_value_t = 20)]
    pub(crate) limit: u32,
    /// Only this model
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Only this key id
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// Only requests that did not succeed
    #[arg(long)]
    pub(crate) failed: bool,
    /// Only requests since then: 30m, 24h, 7d
    #[arg(long, value_name = "DURATION")]
    pub(crate) since: Option<String>,
    /// As JSON lines
    #[arg(long)]
    pub(crate) json: bool,
}

/// `pointsman cost`
#[derive(Debug, Args)]
pub(crate) struct Cost {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Group by this
    #[arg(long, value_enum)]
    pub(crate) by: Option<By>,
    /// Only requests since then: 30m, 24h, 7d
    #[arg(long, value_name = "DURATION")]
    pub(crate) since: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `pointsman health`
#[derive(Debug, Args)]
pub(crate) struct Health {
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Ask the control plane here instead of where the configuration says
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) admin: Option<SocketAddr>,
}

/// What `cost` groups by.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum By {
    /// The upstream provider and model
    Model,
    /// The client key
    Key,
    /// The UTC day
    Day,
    /// The key's project
    Project,
    /// The key's team
    Team,
}
