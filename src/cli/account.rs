//! `login`, `accounts`, `pair`, `unpair`, `logout`: a lab's access to Align.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;
use tokio::runtime::Runtime;

use super::ask::{RequestClient, ask, who};
use super::loading::find_lab;
use super::work::runtime;
use super::{CliError, Exit, Streams};
use crate::agent::RequestHandler;
use crate::align::{Account, AlignClient, LoginRequest, Loopback};
use crate::config::{Config, LabConfig};
use crate::disk::{Disk, RealDisk};
use crate::model::cancel::Cancel;
use crate::model::ids::{AccountId, LabName};
use crate::model::request::{Outcome, Reply, Request};

/// How long `login` waits for the browser.
const PATIENCE: Duration = Duration::from_mins(10);
/// How long a running agent may take to release the port to `login`.
const GIVES_WAY: Duration = Duration::from_secs(10);

#[derive(Debug, Args)]
pub struct LoginArgs {
    /// Lab name, as in the config
    pub lab: String,
    /// Print the URL to open, alone on one line, instead of opening a browser
    #[arg(long)]
    pub no_browser: bool,
}

#[derive(Debug, Args)]
pub struct AccountsArgs {
    /// Lab name, as in the config
    pub lab: String,
}

#[derive(Debug, Args)]
pub struct PairArgs {
    /// Lab name, as in the config
    pub lab: String,
    /// Account number [default: the one in the config, or the only one there is]
    pub account: Option<AccountId>,
}

#[derive(Debug, Args)]
pub struct UnpairArgs {
    /// Lab name, as in the config
    pub lab: String,
    /// Account number
    pub account: AccountId,
    /// The account number again, to confirm: un-pairing disconnects every user of the account
    #[arg(long, value_name = "ACCOUNT")]
    pub confirm: Option<AccountId>,
}

#[derive(Debug, Args)]
pub struct LogoutArgs {
    /// Lab name, as in the config
    pub lab: String,
}

/// Logs a lab in: the user logs in at Align in a browser and we keep the tokens. A lab that was
/// paired before is paired again.
pub fn login(config: &Config, args: &LoginArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let lab = &find_lab(config, &args.lab)?.name;
    let asked = RequestClient::of(config)?;
    let handler = asked.own();
    let client = handler.labs_ways().client(lab)?;
    tell_fallback(&handler, streams)?;
    let request = client.begin_login()?;
    // Listen first: the browser may return immediately.
    let loopback = listen(&request, &client)?;
    let opened = !args.no_browser && open::that_detached(request.url().as_str()).is_ok();
    if args.no_browser {
        streams.line(request.url())?;
    } else if opened {
        streams.note(format!(
            "Opening the browser for the login. If it does not open, go to:\n{}",
            request.url()
        ));
    } else {
        streams.note(format!("No browser could be opened. Open this URL:\n{}", request.url()));
    }
    let code = if let Some(loopback) = loopback {
        streams.note("Waiting for the login in the browser …");
        loopback.wait(&request, &client, PATIENCE, &Cancel::new())?
    } else {
        streams.note("After the login, paste the URL that the browser shows, and press Enter:");
        let mut line = String::new();
        streams.input.read_line(&mut line).map_err(|error| {
            CliError::new(Exit::Failed, format!("cannot read standard input: {error}"))
        })?;
        request.code_from_input(&line)?
    };
    handler.finish_login(&who(), lab, &client, &request, &code)?;
    let paired = match handler.account_of_former_pairing(lab) {
        Some(account) => Some(pair_again(&asked, lab, account)?),
        None => None,
    };
    tell_login(lab, paired, streams)
}

/// Reports the result of a login, and of the pairing after it if there was one.
fn tell_login(
    lab: &LabName,
    paired: Option<(AccountId, Reply)>,
    streams: &mut Streams,
) -> Result<Exit, CliError> {
    let next = format!("casedrop pair {lab}");
    let is_paired = paired.as_ref().is_some_and(|(_, reply)| reply.outcome == Outcome::Done);
    if streams.json {
        let account = paired.as_ref().filter(|_| is_paired).map(|(account, _)| account);
        let next = (!is_paired).then_some(next);
        streams.json(&json!({ "lab": lab, "logged_in": true, "paired": account, "next": next }))?;
        return Ok(Exit::Ok);
    }
    match paired {
        Some((account, _)) if is_paired => streams
            .note(format!("Lab {lab} is logged in, and paired with account {account} as before.")),
        Some((account, reply)) => streams.note(format!(
            "Lab {lab} is logged in, but could not be paired with account {account} again: {}\n\
             Next: `{next}`",
            reply.message
        )),
        None => streams.note(format!("Lab {lab} is logged in. Next: `{next}`")),
    }
    Ok(Exit::Ok)
}

fn pair_again(
    client: &RequestClient,
    lab: &LabName,
    account: AccountId,
) -> Result<(AccountId, Reply), CliError> {
    let request =
        Request::Pair { lab: Some(lab.to_string()), account: Some(account.clone()), code: None };
    Ok((account, client.ask(&request)?))
}

/// Listens for the browser if it returns to this PC. A running agent that waits on the port,
/// because a command file asked for a login, releases it within a second or two.
fn listen(request: &LoginRequest, client: &AlignClient) -> Result<Option<Loopback>, CliError> {
    let agent_listens = request.returns_here() && client.abandon_login()?;
    let deadline = Instant::now() + if agent_listens { GIVES_WAY } else { Duration::ZERO };
    loop {
        match request.listen(client) {
            Err(_) if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(100)),
            result => return Ok(result?),
        }
    }
}

/// Says where the login will be stored if there is no vault.
fn tell_fallback(handler: &RequestHandler, streams: &mut Streams) -> Result<(), CliError> {
    let keeping = handler.labs_ways().secrets().keeping()?;
    if let Some((text, _)) = keeping.fallback() {
        streams.note(format!("Note: {text}"));
    }
    Ok(())
}

/// Lists the accounts that a lab can be paired with.
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
        streams.note(format!("Align lists no accounts for the login of lab {lab}."));
    }
    Ok(Exit::Ok)
}

pub fn pair(config: &Config, args: &PairArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let (lab, account) = (Some(args.lab.clone()), args.account.clone());
    ask(config, &Request::Pair { lab, account, code: None }, streams)
}

/// Un-pairs an account. Needs `--confirm`, since it affects all users of the account.
pub fn unpair(config: &Config, args: &UnpairArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let request = Request::Unpair {
        lab: Some(args.lab.clone()),
        account: args.account.clone(),
        confirm: args.confirm.clone(),
    };
    ask(config, &request, streams)
}

/// Logs a lab out: revokes its tokens and deletes them.
pub fn logout(config: &Config, args: &LogoutArgs, streams: &mut Streams) -> Result<Exit, CliError> {
    let lab = &find_lab(config, &args.lab)?.name;
    let untold = RequestClient::of(config)?.own().log_out(lab, &who())?;
    let result = json!({ "lab": lab, "logged_out": true, "revoked": untold.is_none() });
    let Some(fault) = untold else {
        if streams.json {
            streams.json(&result)?;
        } else {
            streams.note(format!("Lab {lab} is logged out."));
        }
        return Ok(Exit::Ok);
    };
    let text = format!(
        "lab {lab} is logged out on this PC, but its login could not be revoked at Align: {}",
        fault.brief()
    );
    let hint = "its tokens expire on their own; Align's support can revoke them at once";
    let error = CliError::new(Exit::Failed, text).hint(hint).code(fault.code);
    Err(error.cause(fault.chain()).result(result))
}

/// One command's client and the runtime it needs.
struct Session<'a> {
    lab: &'a LabConfig,
    client: AlignClient,
    _runtime: Runtime,
}

impl<'a> Session<'a> {
    fn open(config: &'a Config, name: &str) -> Result<Self, CliError> {
        let lab = find_lab(config, name)?;
        let runtime = runtime()?;
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let client = crate::agent::connect(config, lab, runtime.handle().clone(), &disk)?;
        Ok(Self { lab, client, _runtime: runtime })
    }
}

fn describe(account: &Account) -> String {
    let mut text = account.id.to_string();
    for part in [&account.name, &account.kind].into_iter().flatten() {
        text.push_str("  ");
        text.push_str(part);
    }
    text
}
