//! Several accounts on one endpoint, each with services and records of its own; the machine they run on is one.
//!
//! An account is there from the first call on that is signed with its number, twelve digits, as the access key. Every other key is the
//! main account's. From one account into another leads what leads there on AWS: a role that trusts the other one.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use tokio::sync::Mutex;

use crate::{ACCOUNT, ApiError, Aws, Caller, Result, Settings};

/// The folder of the main account's state folder that holds those of the others.
const FOLDER: &str = "accounts";

/// The accounts besides the main one.
#[derive(Default)]
pub struct Accounts {
    /// Who has all of them; nobody in the main account, which does.
    main: Weak<Aws>,
    others: Mutex<BTreeMap<String, Arc<Aws>>>,
}

impl Accounts {
    /// Those that an account sees which is not the main one.
    pub(crate) fn of(main: &Arc<Aws>) -> Self {
        Self { main: Arc::downgrade(main), others: Mutex::default() }
    }
}

/// Whether a text is an account's number.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// The account in an ARN.
pub(crate) fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

impl Aws {
    /// The main account, for those that are not it.
    pub(crate) fn main(&self) -> Option<Arc<Self>> {
        self.accounts.main.upgrade()
    }

    /// The account in which a key signs: its own number, the account of the session's role, or the main account.
    ///
    /// # Errors
    /// `ExpiredToken` for the key of a session that has ended; `InternalFailure` when the account's records cannot be opened.
    pub(crate) async fn account_of_key(self: &Arc<Self>, access_key_id: &str) -> Result<Arc<Self>> {
        match self.iam.caller(access_key_id)? {
            Caller::Role { arn, .. } => self.account(account_of(&arn), false).await,
            _ if is_account(access_key_id) => self.account(access_key_id, true).await,
            _ => self.account(ACCOUNT, false).await,
        }
    }

    /// The services of an account. With `begin` one that nobody has used yet begins to exist.
    ///
    /// # Errors
    /// `AccessDenied` for one that does not exist; `InternalFailure` when its records cannot be opened.
    pub(crate) async fn account(self: &Arc<Self>, account: &str, begin: bool) -> Result<Arc<Self>> {
        let main = self.main().unwrap_or_else(|| Arc::clone(self));
        if main.settings.account == account {
            return Ok(main);
        }
        let mut others = main.accounts.others.lock().await;
        if let Some(aws) = others.get(account) {
            return Ok(Arc::clone(aws));
        }
        let state = main.settings.state.join(FOLDER).join(account);
        if !is_account(account) || (!begin && !state.exists()) {
            return Err(ApiError::new(403, "AccessDenied", format!("there is no account {account} here")));
        }
        let settings = Settings { state, account: account.to_owned(), ..main.settings.clone() };
        let opened = Self::open_beside(settings, &main);
        let aws = opened.map_err(|error| ApiError::new(500, "InternalFailure", error.to_string()))?;
        aws.lambda.behave(main.lambda.behaviour());
        aws.start_services().await;
        others.insert(account.to_owned(), Arc::clone(&aws));
        Ok(aws)
    }

    /// Takes up what an earlier process left unfinished in the other accounts.
    pub(crate) async fn start_accounts(self: &Arc<Self>) {
        let folders = std::fs::read_dir(self.settings.state.join(FOLDER)).into_iter().flatten().flatten();
        for account in folders.filter_map(|folder| folder.file_name().into_string().ok()) {
            // One that cannot be opened says so to whoever calls it.
            let _ = self.account(&account, false).await;
        }
    }

    /// Lets asynchronous work in the other accounts end.
    pub(crate) async fn stop_accounts(&self) {
        for aws in std::mem::take(&mut *self.accounts.others.lock().await).into_values() {
            aws.stop_services().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Service;
    use crate::testing::Local;

    const THEIRS: &str = "210987654321";
    const ROLE: &str = "arn:aws:iam::210987654321:role/tuned";

    async fn call(
        aws: &Arc<Aws>,
        caller: &Caller,
        service: Service,
        operation: &str,
        input: Value,
    ) -> Result<Value> {
        aws.call(caller, service, operation, input).await
    }

    async fn role(aws: &Arc<Aws>, name: &str, principal: Value, actions: Value) {
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]});
        let input = json!({"RoleName": name, "AssumeRolePolicyDocument": trust.to_string()});
        call(aws, &Caller::Owner, Service::Iam, "CreateRole", input).await.unwrap();
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]});
        let input = json!({"RoleName": name, "PolicyName": "p", "PolicyDocument": policy.to_string()});
        call(aws, &Caller::Owner, Service::Iam, "PutRolePolicy", input).await.unwrap();
    }

    async fn assume(aws: &Arc<Aws>, caller: &Caller, role: &str) -> Result<Value> {
        let input = json!({"RoleArn": role, "RoleSessionName": "session"});
        call(aws, caller, Service::Sts, "AssumeRole", input).await
    }

    fn session(role: &str) -> Caller {
        Caller::Role { arn: format!("arn:aws:iam::{ACCOUNT}:role/{role}"), session: "s".to_owned() }
    }

    #[tokio::test]
    async fn an_account_has_records_of_its_own() {
        let local = Local::new();
        let theirs = local.account_of_key(THEIRS).await.unwrap();
        role(&theirs, "tuned", json!({"Service": "lambda.amazonaws.com"}), json!(["s3:*"])).await;
        let found = |aws: &Arc<Aws>| {
            let aws = Arc::clone(aws);
            async move { call(&aws, &Caller::Owner, Service::Iam, "GetRole", json!({"RoleName": "tuned"})).await }
        };
        assert_eq!(found(&theirs).await.unwrap()["Role"]["Arn"], ROLE);
        assert_eq!(found(&local).await.unwrap_err().code, "NoSuchEntity");
        assert_eq!(local.account_of_key("test").await.unwrap().settings.account, ACCOUNT);
        let identity =
            call(&theirs, &Caller::Owner, Service::Sts, "GetCallerIdentity", json!({})).await.unwrap();
        assert_eq!(identity["Arn"], "arn:aws:iam::210987654321:user/owner");
        assert_eq!(theirs.account_of_key("test").await.unwrap().settings.account, ACCOUNT);
    }

    #[tokio::test]
    async fn a_role_of_another_account_is_assumed_when_both_sides_allow_it() {
        let local = Local::new();
        let theirs = local.account_of_key(THEIRS).await.unwrap();
        let everybody = json!({"Service": "lambda.amazonaws.com"});
        role(&local, "may", everybody.clone(), json!(["sts:AssumeRole"])).await;
        role(&local, "may-not", everybody.clone(), json!(["s3:*"])).await;
        role(&theirs, "tuned", json!({"AWS": ACCOUNT}), json!(["lambda:GetFunction"])).await;
        role(&theirs, "named", json!({"AWS": session("may-not").arn(ACCOUNT)}), json!(["s3:*"])).await;
        role(&theirs, "closed", everybody, json!(["s3:*"])).await;

        let assumed = assume(&local, &session("may"), ROLE).await.unwrap();
        assert_eq!(assumed["AssumedRoleUser"]["Arn"], "arn:aws:sts::210987654321:assumed-role/tuned/session");
        let key = assumed["Credentials"]["AccessKeyId"].as_str().unwrap();
        assert_eq!(local.account_of_key(key).await.unwrap().settings.account, THEIRS);
        let Caller::Role { arn, .. } = local.iam.caller(key).unwrap() else { panic!("no role") };
        assert_eq!(arn, ROLE);

        let refused = async |role: &str, of: &str| {
            let error = assume(&local, &session(of), &ROLE.replace("tuned", role)).await.unwrap_err();
            assert_eq!((error.status, error.code.as_str()), (403, "AccessDenied"), "{role} by {of}");
        };
        refused("tuned", "may-not").await;
        // Being named is enough within an account only.
        refused("named", "may-not").await;
        refused("closed", "may").await;
        refused("missing", "may").await;
        let elsewhere = assume(&local, &session("may"), "arn:aws:iam::999999999999:role/tuned").await;
        assert_eq!(elsewhere.unwrap_err().code, "AccessDenied");
        assert!(!local.settings.state.join("accounts/999999999999").exists(), "nobody has called it");
    }
}
