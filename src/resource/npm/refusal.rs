//! What npm refuses or warns of, and what a person does then.
use crate::error::Error;

/// Returns an error of npm's with what to do next, by the code that is among the first that it printed.
pub(super) fn explain(error: Error, printed: &str) -> Error {
    match remedy(printed) {
        Some(remedy) => error.remedy(remedy),
        None => error,
    }
}

fn remedy(printed: &str) -> Option<String> {
    let rest = |words: &str| printed.lines().find_map(|line| line.split_once(words)).map(|(_, rest)| rest.trim());
    let code = rest("code ")?;
    let fixed = match code {
        "E404" => "see that the name is right, and that the registry has it",
        "ETARGET" => "see with `npm view NAME versions dist-tags` which versions and tags there are",
        "E401" | "E403" | "ENEEDAUTH" => {
            "the registry wants a login: name a file that has it in `env`, as `NPM_CONFIG_USERCONFIG`"
        }
        "ENOTFOUND" | "ECONNREFUSED" | "ECONNRESET" | "EAI_AGAIN" | "ETIMEDOUT" | "ERR_SOCKET_TIMEOUT" => {
            "see that the registry can be reached; a proxy is given in `env`, as `HTTPS_PROXY`"
        }
        "UNABLE_TO_GET_ISSUER_CERT_LOCALLY"
        | "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
        | "SELF_SIGNED_CERT_IN_CHAIN"
        | "DEPTH_ZERO_SELF_SIGNED_CERT" => {
            "name the file of your certificate authority in `env`, as `NODE_EXTRA_CA_CERTS`"
        }
        "EBADENGINE" => "put a newer Node.js before this, or ask for a version that fits the one there is",
        "ENOSPC" => "free some space, then run again",
        "EEXIST" => {
            let path = rest("File exists: ").unwrap_or("it");
            return Some(format!("`{path}` is somebody else's: move it away, then run again"));
        }
        _ => return None,
    };
    Some(fixed.to_owned())
}

/// Returns what npm warned of as to engines, a sentence a package.
pub(super) fn unfit_engines(printed: &str) -> Vec<String> {
    let lines = printed.lines().filter_map(|line| line.split_once("EBADENGINE").map(|(_, rest)| rest.trim()));
    let (mut unfit, mut package, mut required) = (Vec::new(), "", "");
    for line in lines {
        let line = line.trim_end_matches(',');
        if let Some(found) = line.strip_prefix("package: ") {
            package = found.trim_matches('\'');
        } else if let Some(found) = line.strip_prefix("required: ") {
            required = found;
        } else if let Some(current) = line.strip_prefix("current: ") {
            unfit.push(format!("`{package}` asks for {required}, and here is {current}: it may not work"));
        }
    }
    unfit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_npm_refuses_has_a_remedy_with_every_version_of_it() {
        let cases = [
            ("npm error code E404\nnpm error 404 Not Found", "see that the name is right"),
            ("npm ERR! code ETARGET", "npm view"),
            ("npm error code ECONNREFUSED", "HTTPS_PROXY"),
            ("npm error code EEXIST\nnpm error File exists: /usr/local/bin/x", "`/usr/local/bin/x` is somebody else's"),
            ("npm error code EBADENGINE", "newer Node.js"),
        ];
        for (printed, expected) in cases {
            assert!(remedy(printed).is_some_and(|remedy| remedy.contains(expected)), "{printed}");
        }
        assert_eq!(remedy("npm error something else"), None);
    }

    #[test]
    fn an_engine_that_does_not_fit_is_told_by_package() {
        let printed = "npm warn EBADENGINE Unsupported engine {\nnpm warn EBADENGINE   package: 'a@1.0.0',\n\
                       npm warn EBADENGINE   required: { node: '>=99' },\nnpm warn EBADENGINE   current: { node: 'v20', npm: '11' }\n\
                       npm warn EBADENGINE }\n";
        let told = "`a@1.0.0` asks for { node: '>=99' }, and here is { node: 'v20', npm: '11' }: it may not work";
        assert_eq!(unfit_engines(printed), [told]);
    }
}
