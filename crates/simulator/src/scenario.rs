//! What the simulator serves: settings, accounts, their users and orders, read from YAML or made
//! up.

use serde::{Deserialize, Serialize};

use super::settings::Settings;

/// What an order's package contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaseKind {
    /// Orthodontic, open shell.
    OrthoShell,
    /// Orthodontic, with a low-profile base.
    OrthoBase,
    /// Restorative.
    Restorative,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MeshKind {
    /// Binary STL.
    Stl,
    /// Binary PLY with vertex colours.
    Ply,
}

/// An order that automatically goes to modeling after its first download, and comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoFlow {
    /// How long modeling takes, in milliseconds.
    pub modeling_ms: u64,
}

/// An order to simulate. Anything absent is made up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, set by name from YAML")]
pub struct OrderSpec {
    pub id: Option<String>,
    /// The id of the prescription.
    pub rx_id: Option<String>,
    /// The short code.
    pub code: Option<String>,
    /// The account, for orders that are not listed below one; default: the first.
    pub account: Option<String>,
    pub kind: Option<CaseKind>,
    /// The format of the meshes if the client asks for none; varies by default.
    pub mesh: Option<MeshKind>,
    /// Triangles per mesh.
    pub triangles: Option<usize>,
    /// Total bytes of a package's meshes, instead of `triangles`.
    pub mesh_bytes: Option<u64>,
    /// Width of the pictures in pixels: below 640 they have 160, else 1280.
    pub pixels: Option<u16>,
    /// Such as `Orthodontic`; default: by kind.
    pub procedure: Option<String>,
    /// Such as `iRecord`; default: by kind.
    pub case_type: Option<String>,
    /// Days from today until the doctor needs the work; default: 3 to 17.
    pub due_in_days: Option<i64>,
    /// The first status; default "Ready for Download".
    pub status: Option<String>,
    /// Whether the package comes from the modeler.
    pub modeled: bool,
    /// Whether everything is in one top folder of the archive.
    pub top_folder: bool,
    /// Whether the archive contains `__MACOSX/` and `.DS_Store`.
    pub macosx: bool,
    /// Whether the archive's members are stored uncompressed.
    pub stored: bool,
    /// Whether the dentist took screen captures.
    pub screen_captures: bool,
    /// How many package downloads answer 404 first.
    pub regenerating: u32,
    /// How long package downloads answer 404 after the first one, in milliseconds.
    pub regenerating_ms: u64,
    /// Suppresses the notification for the first scan.
    pub quiet: bool,
    /// What happens after the first download.
    pub auto_flow: Option<AutoFlow>,
}

impl OrderSpec {
    /// An order of one kind with everything else made up.
    pub fn new(kind: CaseKind) -> Self {
        Self { kind: Some(kind), ..Self::default() }
    }
}

/// A person who can sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserSpec {
    pub name: String,
    /// `Lab person` or `Dentist`; a dentist sees no lab.
    #[serde(rename = "type", default = "lab_person")]
    pub user_type: String,
}

/// A lab account and the login that a partner got for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountSpec {
    pub id: String,
    pub name: String,
    /// One lab, one login.
    pub client_id: String,
    pub client_secret: String,
    /// Allow-listed redirect URLs; loopback ones are always allowed.
    #[serde(default)]
    pub redirect_urls: Vec<String>,
    /// A callback URL given at registration.
    #[serde(default)]
    pub callback_url: Option<String>,
    /// Who can sign in; default: one lab person.
    #[serde(default = "one_user")]
    pub users: Vec<UserSpec>,
    #[serde(default)]
    pub orders: Vec<OrderSpec>,
}

fn lab_person() -> String {
    "Lab person".to_owned()
}

fn one_user() -> Vec<UserSpec> {
    vec![UserSpec { name: "lab".to_owned(), user_type: lab_person() }]
}

impl AccountSpec {
    /// An account with one lab person and no orders.
    pub fn new(id: &str, name: &str, client_id: &str, client_secret: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
            redirect_urls: Vec::new(),
            callback_url: None,
            users: one_user(),
            orders: Vec::new(),
        }
    }
}

/// Everything that is simulated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    #[serde(default)]
    pub settings: Settings,
    /// At least one.
    pub accounts: Vec<AccountSpec>,
}

/// Why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// It is not YAML, or has unknown or wrong keys.
    #[error("{0}")]
    Yaml(String),
    /// It contradicts itself.
    #[error("the scenario {0}")]
    Content(String),
}

impl Scenario {
    /// Reads a scenario from YAML.
    ///
    /// # Errors
    /// Says what is wrong with the text, with the line number if it is malformed.
    pub fn from_yaml(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self =
            serde_yaml::from_str(text).map_err(|error| ScenarioError::Yaml(error.to_string()))?;
        scenario.check()?;
        Ok(scenario)
    }

    pub(super) fn check(&self) -> Result<(), ScenarioError> {
        let fail = |text: String| Err(ScenarioError::Content(text));
        if self.accounts.is_empty() {
            return fail("has no account; give at least one under `accounts`".to_owned());
        }
        let mut orders = Vec::new();
        for (index, account) in self.accounts.iter().enumerate() {
            let earlier = &self.accounts[..index];
            if earlier.iter().any(|other| other.id == account.id) {
                return fail(format!("has two accounts with the id {:?}", account.id));
            }
            if earlier.iter().any(|other| other.client_id == account.client_id) {
                return fail(format!(
                    "has two accounts with the client_id {:?}",
                    account.client_id
                ));
            }
            if account.users.is_empty() {
                return fail(format!("has no user for account {:?}", account.id));
            }
            for id in account.orders.iter().filter_map(|order| order.id.as_ref()) {
                if orders.contains(&id) {
                    return fail(format!("has two orders with the id {id:?}"));
                }
                orders.push(id);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scenario_is_read_from_yaml() {
        let scenario = Scenario::from_yaml(
            "settings: {min_poll_interval_ms: 1000, regional: port}\n\
             accounts:\n\
             - id: \"12\"\n\
             \x20 name: A\n\
             \x20 client_id: a\n\
             \x20 client_secret: s\n\
             \x20 orders: [{kind: restorative, mesh: ply}, {id: \"77\", auto_flow: {modeling_ms: 5}}]\n",
        )
        .expect("valid");
        assert_eq!(scenario.settings.min_poll_interval_ms, 1000);
        assert_eq!(scenario.accounts[0].orders[0].kind, Some(CaseKind::Restorative));
        assert_eq!(scenario.accounts[0].users[0].user_type, "Lab person");
    }

    #[test]
    fn what_the_documentation_says_of_scenarios_and_faults_is_true_and_complete() {
        let page = include_str!("../../../docs/simulator.md");
        let example = page.split_once("```yaml\n").expect("an example").1;
        let example = example.split_once("```").expect("its end").0;
        let scenario = Scenario::from_yaml(example).expect("a scenario");
        assert_eq!(scenario.accounts[0].orders.len(), 4);
        let keys = |value: serde_json::Value| {
            value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>()
        };
        let account = serde_json::to_value(&scenario.accounts[0]).expect("JSON");
        let order = serde_json::to_value(OrderSpec::default()).expect("JSON");
        let settings = serde_json::to_value(Settings::default()).expect("JSON");
        let mut words = [keys(account), keys(order), keys(settings)].concat();
        words.extend(crate::flows::TRANSITIONS.map(str::to_owned));
        words.extend(crate::routes::DISCOVERED.map(|(name, ..)| name.to_owned()));
        for word in words {
            assert!(page.contains(&format!("`{word}`")), "docs/simulator.md lacks `{word}`");
        }
        let faults = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`').map(|(kind, _)| kind));
        let faults = faults.filter(|kind| kind.starts_with(['{', '"']));
        let faults: Vec<crate::FaultKind> =
            faults.map(|kind| serde_json::from_str(kind).expect(kind)).collect();
        assert_eq!(faults.len(), 13, "each kind of fault");
    }

    #[test]
    fn a_wrong_scenario_says_where() {
        let error = Scenario::from_yaml("accounts:\n- id: \"1\"\n  nam: A\n").expect_err("wrong");
        let text = error.to_string();
        assert!(text.contains("nam") && text.contains("line 3"), "{text}");
        let error = Scenario::from_yaml("accounts: []").expect_err("empty");
        assert!(error.to_string().contains("at least one"), "{error}");
    }
}
