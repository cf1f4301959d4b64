//! Tests for choosing an output, with a config file and a journal of their own.

use super::super::{Live, RequestHandler};
use super::*;
use crate::agent::journal_access::{Journal, Wake};
use crate::agent::labs::Labs;
use crate::disk::RealDisk;
use crate::hotfolder::root::{MARKER, Root, lock_output};
use crate::journal::FILE_NAME;
use crate::model::ids::OrderKey;
use crate::model::order::{RemoteOrder, Status};
use crate::model::record::OrderRecord;
use crate::model::request::{Request, Requests as _, Via, Who};
use crate::model::time::WallMs;

struct World {
    dir: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    text: String,
}

struct Agent {
    handler: RequestHandler,
    restart: Arc<Restart>,
    root: Arc<Root>,
}

impl World {
    fn new() -> Self {
        Self::with("")
    }

    fn with(more: &str) -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let output = dir.path().join("orders");
        let text = format!(
            "# What the lab has.\r\noutput: '{}'   # the CAD looks here\r\nstate: state\r\nsecrets: \
             file\r\nretention: {{ min_free: 1MB }}\r\n{more}labs:\r\n  - name: smile-lab\r\n    \
             oauth_base: https://oauth.iterocloud.com\r\n    base_url: https://base.iterocloud.com\r\n    \
             client_id: abc\r\n    client_secret: secret\r\n    redirect_url: https://lab.example/cb\r\n",
            output.display()
        );
        let state = dir.path().join("state");
        std::fs::create_dir(&state).expect("made");
        drop(Store::open(&state.join(FILE_NAME)).expect("made"));
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let world = Self { dir, runtime: runtime.expect("runtime"), text };
        std::fs::write(world.file(), &world.text).expect("written");
        world
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("casedrop.yaml")
    }

    fn start(&self, env: &[(&str, &str)]) -> Agent {
        let env: Vec<_> =
            env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let config = config::load(&RealDisk, &self.file(), &env).expect("valid").config;
        let config = Arc::new(config);
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let handle = self.runtime.handle().clone();
        let labs = Arc::new(Labs::new(Arc::clone(&config), handle, Arc::clone(&disk)));
        let links = Arc::new(labs.links().expect("links"));
        let layout = Layout { output: config.output.clone(), staging: config.staging.clone() };
        let root = Arc::new(Root::new(Arc::clone(&disk), layout));
        let prepared = root.prepare(None).expect("made");
        root.open();
        let journal = Journal::of(&config.state);
        journal.with(|store| store.set_fact(ROOT_FACT, &prepared.id)).expect("set");
        let live = Live::still(Arc::clone(&root));
        let shared = (journal, Wake::default());
        let handler = RequestHandler::of_agent(config, disk, labs, links, shared, live);
        let restart = Arc::new(Restart::new(self.file(), false));
        handler.set_restart(Arc::clone(&restart));
        Agent { handler, restart, root }
    }

    fn store(&self) -> Store {
        Store::open(&self.dir.path().join("state").join(FILE_NAME)).expect("journal")
    }

    fn see_an_order(&self) {
        let key = OrderKey {
            lab: "smile-lab".parse().expect("valid"),
            account: "1".parse().expect("valid"),
            order: "17".parse().expect("valid"),
        };
        let remote = RemoteOrder::new(key.order.clone(), Status::Ready);
        self.store().save(&OrderRecord::new(key, remote, WallMs(1))).expect("saved");
    }

    /// The config is unchanged, and the agent does not restart.
    fn assert_unchanged(&self, agent: &Agent) {
        assert_eq!(std::fs::read_to_string(self.file()).expect("read"), self.text);
        assert!(agent.root.is_open() && !agent.wants_to_begin_anew());
    }
}

impl Agent {
    fn choose(&self, path: &Path) -> Reply {
        let request = Request::Output { path: path.to_str().expect("Unicode").to_owned() };
        let who = Who { user: Some("anna".to_owned()), via: Via::Page };
        let id = crate::control::new_id().expect("an id");
        self.handler.serve_once(&id, &request, &who).expect("the journal can be used")
    }

    fn wants_to_begin_anew(&self) -> bool {
        use std::future::Future as _;
        let wanted = std::pin::pin!(self.restart.wanted());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        wanted.poll(&mut context).is_ready()
    }
}

#[track_caller]
fn assert_refused(reply: &Reply, words: &str) {
    assert_eq!(reply.outcome, Outcome::Refused, "{reply:?}");
    assert!(reply.message.contains(words), "{words:?} is not in {reply:?}");
    assert!(reply.next.as_deref().is_some_and(|next| !next.is_empty()), "{reply:?}");
}

#[test]
fn the_config_says_so_the_journal_knows_and_the_agent_begins_anew() {
    let world = World::new();
    let agent = world.start(&[]);
    agent.handler.may_choose_output().expect("nothing is there yet");
    let wanted = world.dir.path().join("CAD's/orders");
    let reply = agent.choose(&wanted);
    assert_eq!(reply.outcome, Outcome::Done, "{reply:?}");
    assert_eq!(reply.details["restarts"], true);
    let text = std::fs::read_to_string(world.file()).expect("read");
    let old = format!("'{}'", world.dir.path().join("orders").display());
    let new = format!("'{}'", wanted.display().to_string().replace('\'', "''"));
    assert_eq!(text, world.text.replace(&old, &new), "nothing else is changed");
    assert!(agent.wants_to_begin_anew() && !agent.root.is_open());
    let chosen = OutputChange::of(&world.store(), &wanted).expect("read").expect("noted");
    assert_eq!(chosen.from, world.dir.path().join("orders"));
    assert_eq!(chosen.from_id, world.store().fact(ROOT_FACT).expect("read"));
    assert!(wanted.join(MARKER).is_file());
    assert_eq!(OutputChange::of(&world.store(), &chosen.from).expect("read"), None);
    let audit = agent.handler.audit.read(1).expect("read");
    let mine: Vec<_> = audit.iter().filter(|record| record.what == "output-chosen").collect();
    assert_eq!(mine.len(), 2, "begun and done: {mine:?}");
    assert!(agent.handler.welcome().expect("read").so_far.folder);
}

#[test]
fn the_same_folder_again_changes_nothing_and_is_an_answer_too() {
    let world = World::new();
    let agent = world.start(&[]);
    assert!(!agent.handler.welcome().expect("read").so_far.folder);
    let reply = agent.choose(&world.dir.path().join("orders"));
    assert_eq!((reply.outcome, &reply.details["restarts"]), (Outcome::Done, &false.into()));
    assert!(agent.handler.welcome().expect("read").so_far.folder);
    world.assert_unchanged(&agent);
}

#[test]
fn once_an_order_was_seen_the_output_stays() {
    let world = World::new();
    let agent = world.start(&[]);
    world.see_an_order();
    let new = world.dir.path().join("new");
    assert_refused(&agent.choose(&new), "orders have already arrived");
    assert!(!new.exists());
    world.assert_unchanged(&agent);
    // An order that arrives between the check and the change is noticed too.
    let rewritten = agent.handler.rewritten(&agent.restart, new.to_str().expect("Unicode"));
    let rewritten = rewritten.expect("it could be");
    let fault = agent.handler.change(&agent.restart, &rewritten, "id").expect_err("too late");
    assert!(fault.message.contains("orders have already arrived"), "{fault}");
    world.assert_unchanged(&agent);
}

#[test]
fn what_others_decide_is_named_with_the_way_out() {
    let world = World::new();
    let elsewhere = world.dir.path().join("elsewhere");
    let agent = world.start(&[("CASEDROP_OUTPUT", elsewhere.to_str().expect("Unicode"))]);
    let fault = agent.handler.may_choose_output().expect_err("the environment decides");
    assert!(fault.message.contains("CASEDROP_OUTPUT"), "{fault}");
    drop(agent);
    let policy = world.dir.path().join("policy.yaml");
    let text = format!("# ours\noutput: '{}'\n", elsewhere.display());
    std::fs::write(&policy, text).expect("written");
    let agent = world.start(&[]);
    let reply = agent.choose(&world.dir.path().join("new"));
    assert_refused(&reply, "policy.yaml:2");
    assert!(reply.next.expect("a way out").contains(policy.to_str().expect("Unicode")));
    world.assert_unchanged(&agent);
}

#[test]
fn folders_that_cannot_be_the_output_are_refused_before_anything_changes() {
    let world = World::new();
    let agent = world.start(&[]);
    let at = |name: &str| world.dir.path().join(name);
    std::fs::write(at("file"), "").expect("written");
    assert_refused(&agent.choose(Path::new("orders")), "not a full path");
    assert_refused(&agent.choose(&at("state")), "the same folder as");
    assert_refused(&agent.choose(&at("state/orders/../..")), "is inside `output`");
    assert_refused(
        &agent.choose(&at("line\nbreak")),
        "in a way that cannot be changed automatically",
    );
    assert_refused(&agent.choose(&at("file/orders")), "cannot be used as the output");
    world.assert_unchanged(&agent);
    let other = Layout { output: at("taken"), staging: at(".taken.casedrop-staging") };
    let _other = lock_output(&RealDisk, &other).expect("asked").expect("free");
    assert_refused(&agent.choose(&at("taken")), "another agent");
    world.assert_unchanged(&agent);
}

#[test]
fn a_config_that_was_edited_since_or_is_written_otherwise_is_left_to_people() {
    let world = World::new();
    let agent = world.start(&[]);
    let edited = format!("{}names: plain\r\n", world.text);
    std::fs::write(world.file(), &edited).expect("written");
    let new = world.dir.path().join("new");
    assert_refused(&agent.choose(&new), "has changed since the agent started");
    assert_eq!(std::fs::read_to_string(world.file()).expect("read"), edited);
    let folded = world.text.replacen("output: ", "output:\r\n  ", 1);
    std::fs::write(world.file(), &folded).expect("written");
    assert_refused(&agent.choose(&new), "in a way that cannot be changed automatically");
    assert_eq!(std::fs::read_to_string(world.file()).expect("read"), folded);
    std::fs::remove_file(world.file()).expect("removed");
    assert_refused(&agent.choose(&new), "not a regular file");
}

#[test]
fn a_volume_without_room_is_refused() {
    let world = World::with("");
    let text = world.text.replace("min_free: 1MB", "min_free: 9000TB");
    std::fs::write(world.file(), &text).expect("written");
    let agent = world.start(&[]);
    assert_refused(&agent.choose(&world.dir.path().join("new")), "nothing would be fetched");
    assert!(agent.root.is_open());
}

#[test]
fn a_process_that_does_not_begin_anew_offers_no_choice_and_the_present_folder_comes_first() {
    let world = World::new();
    let agent = world.start(&[]);
    assert_eq!(agent.handler.output_suggestions()[0], world.dir.path().join("orders"));
    let config = Arc::clone(&agent.handler.config);
    let labs = Arc::clone(&agent.handler.labs);
    let handler = RequestHandler::of_command(config, Arc::new(RealDisk), labs);
    let fault = handler.may_choose_output().expect_err("no agent");
    assert!(fault.message.contains("Casedrop is not running"), "{fault}");
}
