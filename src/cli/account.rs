//! `login`, `accounts`, `pair`, `unpair`, `logout`: a lab's access to Align.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::runtime::Runtime;

use super::{CliError, Exit, Streams};
use crate::align::{self, Account, AlignClient};
use crate::config::{Config, LabConfig};
use crate::disk::RealDisk;
use crate::model::cancel::Cancel;
use crate::model::ids::AccountId;

/// How long `login` waits for the browser.
const PATIENCE: Duration = Duration::from_mins(10);

/// Arguments of `login`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// The lab, as named in the config
    pub lab: String,
    /// Print the URL to open, alone on one line, instead of opening a browser
    #[arg(long)]
    pub no_browser: bool,
}

/// Arguments of `accounts`.
#[derive(Debug, Args)]
pub struct AccountsArgs {
    /// The lab, as named in the config
    pub lab: String,
}

/// Arguments of `pair`.
#[derive(Debug, Args)]
pub struct PairArgs {
    /// The lab, as named in the config
    pub lab: String,
    /// The account's number; by default the one in the config, or the only one there is
    pub account: Option<AccountId>,
}

/// Arguments of `unpair`.
#[derive(Debug, Args)]
pub struct UnpairArgs {
    /// The lab, as named in the config
    pub lab: String,
    /// The account's number
    pub account: AccountId,
    /// The account's number once more: un-pairing disconnects every user of the account
    #[arg(long, value_name = "ACCOUNT")]
    pub confirm: Option<AccountId>,
}

/// Arguments of `logout`.
#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// The lab, as named in the config
    pub lab: String,
}

/// Logs a lab in: a person logs in at Align with a browser, and the tokens are kept.
pub fn login(config: &Config, args: &LoginArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let session = Session::open(config, &args.lab)?;
    let (client, lab) = (&session.client, &session.lab.name);
    let request = client.begin_login()?;
    // Listen first: the browser may be back at once.
    let loopback = request.listen(client)?;
    let opened = !args.no_browser && open::that_detached(request.url().as_str()).is_ok();
    if args.no_browser {
        streams.line(request.url())?;
    } else if opened {
        streams.note(format!("A browser opens for the login. If not, open:\n{}", request.url()));
    } else {
        streams.note(format!("No browser could be opened. Open this URL:\n{}", request.url()));
    }
    let code = if let Some(loopback) = loopback {
        streams.note("Waiting for the login in the browser …");
        loopback.wait(&request, client, PATIENCE, &Cancel::new())?
    } else {
        streams.note("After the login, paste the URL that the browser shows, and press Enter:");
        let mut line = String::new();
        streams.input.read_line(&mut line).map_err(|error| {
            CliError::new(Exit::Failed, format!("cannot read standard input: {error}"))
        })?;
        request.code_from_input(&line)?
    };
    client.finish_login(&request, &code, &Cancel::new())?;
    let next = format!("casedrop pair {lab}");
    if streams.json {
        streams.json(&json!({ "lab": lab, "logged_in": true, "next": next }))?;
    } else {
        streams.note(format!("Lab {lab} is logged in. Next: `{next}`"));
    }
    Ok(Exit::Ok)
}

/// Lists the accounts that a lab may be paired with.
pub fn accounts(
    config: &Config,
    args: &AccountsArgs,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let session = Session::open(config, &args.lab)?;
    let lab = &session.lab.name;
    let accounts = session.client.accounts(&Cancel::new())?;
    let paired = session.client.paired()?.map(|account| account.id);
    let is_paired = |account: &Account| paired.as_ref() == Some(&account.id);
    if streams.json {
        let rows: Vec<_> = accounts
            .iter()
            .map(|account| {
                let Account { id, name, kind } = account;
                json!({ "id": id, "name": name, "type": kind, "paired": is_paired(account) })
            })
            .collect();
        streams.json(&json!({ "lab": lab, "accounts": rows }))?;
        return Ok(Exit::Ok);
    }
    for account in &accounts {
        let mark = if is_paired(account) { "  paired" } else { "" };
        streams.line(format!("{}{mark}", describe(account)))?;
    }
    if accounts.is_empty() {
        streams.note(format!("Align lists no account for the login of lab {lab}."));
    }
    Ok(Exit::Ok)
}

/// Pairs a lab with an account.
pub fn pair(config: &Config, args: &PairArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let session = Session::open(config, &args.lab)?;
    let lab = &session.lab.name;
    let accounts = session.client.accounts(&Cancel::new())?;
    let wanted = args.account.as_ref().or(session.lab.account.as_ref());
    let account = choose(lab.as_str(), &accounts, wanted)?;
    session.client.pair(account, None, &Cancel::new())?;
    if streams.json {
        let Account { id, name, .. } = account;
        streams.json(&json!({ "lab": lab, "account": { "id": id, "name": name } }))?;
    } else {
        streams.note(format!("Lab {lab} is paired with {}.", describe(account)));
    }
    Ok(Exit::Ok)
}

/// Un-pairs an account, which needs `--confirm`, since it reaches all of the account's users.
pub fn unpair(config: &Config, args: &UnpairArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let lab = find_lab(config, &args.lab)?;
    let account = &args.account;
    if args.confirm.as_ref() != Some(account) {
        let why = if args.confirm.is_some() { " (--confirm names another account)" } else { "" };
        let text = format!(
            "nothing was done{why}: un-pairing account {account} would disconnect every user of that \
             account, on all PCs, and end its notifications"
        );
        return Err(CliError::new(Exit::Usage, text).hint(format!(
            "if you want that, run `casedrop unpair {} {account} --confirm {account}`",
            lab.name
        )));
    }
    let session = Session::open(config, &args.lab)?;
    session.client.unpair(account, &Cancel::new())?;
    if streams.json {
        streams.json(&json!({ "lab": lab.name, "account": account, "unpaired": true }))?;
    } else {
        streams.note(format!("Account {account} is un-paired, for all of its users."));
    }
    Ok(Exit::Ok)
}

/// Logs a lab out: revokes its tokens and forgets them.
pub fn logout(config: &Config, args: &LogoutArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let session = Session::open(config, &args.lab)?;
    let lab = &session.lab.name;
    let untold = session.client.logout(&Cancel::new())?;
    if streams.json {
        let revoked = untold.is_none();
        streams.json(&json!({ "lab": lab, "logged_out": true, "revoked": revoked }))?;
    }
    match untold {
        None => {
            streams.note(format!("Lab {lab} is logged out."));
            Ok(Exit::Ok)
        }
        Some(fault) => {
            let text = format!(
                "the login of lab {lab} is gone from this PC, but Align could not be told: {}",
                fault.chain()
            );
            let hint = "its tokens end by themselves; Align's support can end them at once";
            Err(CliError::new(Exit::Failed, text).hint(hint))
        }
    }
}

/// The lab of that name; case does not matter. An unknown one is answered with the nearest.
pub fn find_lab<'a>(config: &'a Config, name: &str) -> Result<&'a LabConfig, CliError> {
    let found = config.labs.iter().find(|lab| lab.name.as_str().eq_ignore_ascii_case(name));
    found.ok_or_else(|| {
        let names: Vec<&str> = config.labs.iter().map(|lab| lab.name.as_str()).collect();
        let near =
            |known: &&&str| strsim::jaro_winkler(&known.to_lowercase(), &name.to_lowercase());
        let nearest = names
            .iter()
            .filter(|known| near(known) > 0.7)
            .max_by(|a, b| near(a).total_cmp(&near(b)));
        let hint = match nearest {
            Some(nearest) => format!("did you mean {nearest}?"),
            None => format!("the config has these labs: {}", names.join(", ")),
        };
        CliError::new(Exit::Usage, format!("no lab is named {name:?}")).hint(hint)
    })
}

/// One command's client, with the runtime that it works on.
struct Session<'a> {
    lab: &'a LabConfig,
    client: AlignClient,
    _runtime: Runtime,
}

impl<'a> Session<'a> {
    fn open(config: &'a Config, name: &str) -> Result<Self, CliError> {
        let lab = find_lab(config, name)?;
        let runtime = super::work::runtime()?;
        let client = align::connect(config, lab, runtime.handle().clone(), Arc::new(RealDisk))?;
        Ok(Self { lab, client, _runtime: runtime })
    }
}

fn choose<'a>(
    lab: &str,
    accounts: &'a [Account],
    wanted: Option<&AccountId>,
) -> Result<&'a Account, CliError> {
    let text = match (wanted, accounts) {
        (None, [only]) => return Ok(only),
        (Some(wanted), _) => match accounts.iter().find(|account| account.id == *wanted) {
            Some(account) => return Ok(account),
            None => format!("the login of lab {lab} has no account {wanted}"),
        },
        (None, []) => format!("Align lists no account for the login of lab {lab}"),
        (None, _) => format!("the login of lab {lab} has {} accounts", accounts.len()),
    };
    let mut hint = String::new();
    if accounts.is_empty() {
        hint.push_str("log in with a user that belongs to the lab's account");
    } else {
        hint.push_str("name one of these: `casedrop pair LAB ACCOUNT`");
        for account in accounts {
            // Writing to a String cannot fail.
            let _ = write!(hint, "\n  {}", describe(account));
        }
    }
    Err(CliError::new(Exit::Usage, text).hint(hint))
}

fn describe(account: &Account) -> String {
    let mut text = account.id.to_string();
    for part in [&account.name, &account.kind].into_iter().flatten() {
        text.push_str("  ");
        text.push_str(part);
    }
    text
}
