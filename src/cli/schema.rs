//! `casedrop schema config|manifest`: the JSON Schemas (draft 2020-12) for editors and programs.

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::{CliError, Exit, Streams};
use crate::config;
use crate::model::manifest::Manifest;

#[derive(Debug, Clone, Args)]
pub struct SchemaArgs {
    /// Which schema to print
    #[arg(value_enum)]
    pub which: Which,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// The config file, casedrop.yaml
    Config,
    /// The manifest.json in each published order
    Manifest,
}

pub fn run(args: &SchemaArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    streams.json(&schema(args.which))?;
    Ok(Exit::Ok)
}

fn schema(which: Which) -> Value {
    match which {
        Which::Config => config::schema().clone(),
        Which::Manifest => schemars::schema_for!(Manifest).to_value(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_schemas_say_which_draft_they_follow_and_describe_their_keys() {
        for (which, key) in [(Which::Config, "labs"), (Which::Manifest, "files")] {
            let schema = schema(which);
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
            let text = schema["properties"][key]["description"].as_str().expect("described");
            assert!(text.len() > 10, "{text}");
        }
    }
}
