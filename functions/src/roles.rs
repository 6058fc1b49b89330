//! The roles of other accounts that the handlers take on for what they do to the tuned function, where the input names one (`roleARN`).
//!
//! A role's session is good for an hour, which is as long as a session can be that a session began. A handler needs it for a pass of at
//! most 15 minutes, so one that has less than that to go is renewed.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::timeout::TimeoutConfig;
use aws_sdk_lambda::config::http::HttpResponse;
use aws_sdk_lambda::config::{Credentials, SharedHttpClient};
use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::primitives::DateTime;
use aws_sigv4::http_request::SignableBody;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::ErrorMetadata;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::deadline::Deadline;
use crate::function_api::{Refusal, transient};
use crate::signing::{Signer, domain, read, texts};

/// The longest pass, and a little more.
const NEEDED: Duration = Duration::from_secs(16 * 60);
/// What stays as it is in a query that is signed.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The sessions that there are.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<BTreeMap<String, Session>>);

#[derive(Debug, Clone)]
struct Session {
    credentials: Credentials,
    ends: SystemTime,
}

/// STS in one region, as one of our roles calls it.
#[derive(Debug)]
pub(crate) struct Sts {
    pub signer: Signer,
    pub endpoint: Option<String>,
    pub http: SharedHttpClient,
    /// What the sessions are called: CloudTrail of the other account shows it.
    pub session: String,
}

impl Sessions {
    /// The credentials of a role's session, which is begun if there is none that lasts for a pass.
    ///
    /// # Errors
    /// That the role may not be assumed, or transient failures that outlast the deadline.
    pub(crate) async fn of(&self, role: &str, sts: &Sts, deadline: Deadline) -> Result<Credentials, Refusal> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(role).cloned();
        if let Some(session) = known.filter(|session| session.ends > SystemTime::now() + NEEDED) {
            return Ok(session.credentials);
        }
        let session = transient::call("AssumeRole", deadline, false, || sts.assume(role)).await?;
        let credentials = session.credentials.clone();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(role.to_owned(), session);
        Ok(credentials)
    }
}

impl Sts {
    async fn assume(&self, role: &str) -> Result<Session, SdkError<ErrorMetadata, HttpResponse>> {
        let origin = self.origin();
        let url = format!("{origin}/?{}", query(role, &self.session));
        let signer = self.signer.clone();
        Operation::builder()
            .service_name("STS")
            .operation_name("AssumeRole")
            .http_client(self.http.clone())
            .endpoint_url(&origin)
            .timeout_config(TimeoutConfig::disabled())
            .no_retry()
            .no_auth()
            .serializer(move |()| signer.sign("GET", &url, SignableBody::Bytes(&[]), SystemTime::now()))
            .deserializer(|response| {
                let answer = read(response)?;
                session(&String::from_utf8_lossy(&answer)).ok_or_else(|| {
                    let error = ErrorMetadata::builder().message("the answer has no credentials").build();
                    OrchestratorError::operation(error)
                })
            })
            .build()
            .invoke(())
            .await
    }

    fn origin(&self) -> String {
        let region = &self.signer.region;
        match &self.endpoint {
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => format!("https://sts.{region}.{}", domain(region)),
        }
    }
}

fn query(role: &str, session: &str) -> String {
    let encoded = |text| utf8_percent_encode(text, QUERY);
    format!(
        "Action=AssumeRole&RoleArn={}&RoleSessionName={}&Version=2011-06-15",
        encoded(role),
        encoded(session)
    )
}

fn session(answer: &str) -> Option<Session> {
    let mut found = texts(answer);
    let mut text = |name: &str| found.remove(name);
    let ends = DateTime::from_str(&text("Expiration")?, Format::DateTime).ok()?.try_into().ok()?;
    let credentials = Credentials::new(
        text("AccessKeyId")?,
        text("SecretAccessKey")?,
        Some(text("SessionToken")?),
        Some(ends),
        "role",
    );
    Some(Session { credentials, ends })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_read_from_the_answer_of_the_documentation() {
        let answer = r#"<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleResult>
    <AssumedRoleUser>
      <Arn>arn:aws:sts::123456789012:assumed-role/demo/TestAR</Arn>
      <AssumedRoleId>ARO123EXAMPLE123:TestAR</AssumedRoleId>
    </AssumedRoleUser>
    <Credentials>
      <AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId>
      <SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYzEXAMPLEKEY</SecretAccessKey>
      <SessionToken>AQoDYXdzEPT//////////wEXAMPLEtc764b==</SessionToken>
      <Expiration>2019-11-09T13:34:41Z</Expiration>
    </Credentials>
    <PackedPolicySize>6</PackedPolicySize>
  </AssumeRoleResult>
  <ResponseMetadata><RequestId>c6104cbe</RequestId></ResponseMetadata>
</AssumeRoleResponse>"#;
        let found = session(answer).unwrap();
        assert_eq!(found.credentials.access_key_id(), "ASIAIOSFODNN7EXAMPLE");
        assert_eq!(found.credentials.session_token(), Some("AQoDYXdzEPT//////////wEXAMPLEtc764b=="));
        let ends = found.ends.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(ends.as_secs(), 1_573_306_481);
        assert!(session("<AssumeRoleResponse/>").is_none());
    }

    #[test]
    fn a_query_names_role_and_session() {
        assert_eq!(
            query("arn:aws:iam::210987654321:role/a/b+c", "stack-Executor"),
            "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A210987654321%3Arole%2Fa%2Fb%2Bc&RoleSessionName=stack-Executor&Version=2011-06-15"
        );
    }
}
