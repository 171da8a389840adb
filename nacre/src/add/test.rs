//! `-T`: whether the agent can sign with the private halves of public keys.

use super::link::{Link, REFUSED};
use super::{files, shown};
use crate::cli::add::AddArgs;
use crate::output;
use nacre_agent::{Answer, Request, SignFlags, SignRequest};
use nacre_crypto::{AwsLc, PublicKey, certified_key, random_bytes};
use nacre_proto::algorithm::SignatureAlgorithm;
use nacre_proto::crypto::Provider;
use std::path::Path;

/// Bytes that are signed.
const SIZE: usize = 1024;

/// Tests all files named. True when all passed; nothing is said about those.
pub fn run(args: &AddArgs, link: &mut Link) -> bool {
    let mut well = true;
    for file in &args.files {
        if let Err(line) = test(link, file) {
            output::complain(&line);
            well = false;
        }
    }
    well
}

fn test(link: &mut Link, file: &Path) -> Result<(), String> {
    let public = files::public(file)?;
    let plain = certified_key(&public.blob).unwrap_or_else(|_| public.blob.clone());
    let key = PublicKey::from_blob(&plain, "").map_err(|error| format!("Bad key file {}: {error}", file.display()))?;
    let name = if public.comment.is_empty() { file.display().to_string() } else { shown(&public.comment) };
    let algorithm = match key.key_type() {
        "ssh-rsa" => SignatureAlgorithm::RsaSha256,
        other => SignatureAlgorithm::from_name(other).ok_or_else(|| format!("{other} keys cannot be tested"))?,
    };
    let refused = |why: &str| format!("Agent signature failed for {name}: {why}");
    let data = random_bytes::<SIZE>().map_err(|error| refused(&error.to_string()))?;
    let flags = SignFlags::for_algorithm(algorithm.name());
    let request = Request::SignRequest(SignRequest { public_key: &public.blob, data: &data, flags });
    let signature = match link.ask(&request).map_err(|why| refused(&why))? {
        Answer::Signature(signature) => {
            signature.into_blob(algorithm.name()).map_err(|why| refused(&why.to_string()))?
        }
        _ => return Err(refused(REFUSED)),
    };
    let verified = AwsLc::default().verify(algorithm, key.blob(), &data, &signature);
    verified.map_err(|_| format!("Signature verification failed for {name}: incorrect signature"))
}
