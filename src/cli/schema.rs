//! `casedrop schema config|manifest|status`: the JSON Schemas (draft 2020-12) for editors and
//! programs.

use clap::{Args, ValueEnum};
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::status::Told;
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
    /// What `casedrop status --json` prints
    Status,
}

pub fn run(args: &SchemaArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    streams.json(&schema(args.which))?;
    Ok(Exit::Ok)
}

fn schema(which: Which) -> Value {
    match which {
        Which::Config => config::schema().clone(),
        Which::Manifest => schemars::schema_for!(Manifest).to_value(),
        Which::Status => {
            // Programs read it and never write it.
            let settings = SchemaSettings::draft2020_12().for_serialize();
            settings.into_generator().into_root_schema_for::<Told<'_>>().to_value()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_schemas_say_which_draft_they_follow_and_describe_their_keys() {
        for (which, key) in
            [(Which::Config, "labs"), (Which::Manifest, "files"), (Which::Status, "labs")]
        {
            let schema = schema(which);
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
            let text = schema["properties"][key]["description"].as_str().expect("described");
            assert!(text.len() > 10, "{text}");
        }
    }
}
