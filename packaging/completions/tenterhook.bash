# bash completion for tenterhook. Made from the table of commands by `tenterhook help --write`.
_tenterhook() {
    local cur=${COMP_WORDS[COMP_CWORD]} name=${COMP_WORDS[1]} verb=${COMP_WORDS[2]} words=
    COMPREPLY=()
    case ${COMP_WORDS[COMP_CWORD-1]} in
        --*-file|--config|--to)
            COMPREPLY=($(compgen -f -- "$cur")); return;;
        --data|--dialects)
            COMPREPLY=($(compgen -d -- "$cur")); return;;
        --dialect|--verify|--default-dialect)
            COMPREPLY=($(compgen -W "cloudevents-structured cloudevents discord github gitlab httpsig linear shopify slack square standard stripe svix taskboard techwriter tiro tsanet zoom" -- "$cur") $(compgen -f -- "$cur")); return;;
    esac
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="serve init config dev send endpoints events deliveries attempts tail replay secrets nodes sql inbox tenants event-types keys portal-link template listen sign verify explain doctor backup restore migrate export import dialect version help"
    else
        case "$name $verb" in
            "config check") words=" --json --field --quiet --help --config --listen --data --store --inbox-source --dialects --default-dialect --allow-network --environment --tls-cert --tls-key --retention --drain-timeout --log-level --log-format --ca-file --bind --source-address --proxy --dns-servers --threads --max-in-flight --max-pending --max-connections --max-body --keyless-connections --streams --key-streams --key-rate --tenant-rate --tenant-endpoints --tenant-header-bytes --tenant-keys --tenant-replays --tenant-stored-bytes --tenant-unfinished-deliveries --host-requests --host-requests-per-second --address-requests --limit-warning --validate --public-catalogue --wrong-key-rate --trusted-proxy --client-header --session-idle --traces-endpoint --traces-ratio --traces-pass-on --ui --ui-dir --portal-origin --portal-url";;
            "config show") words=" --origin --json --field --quiet --help --config --listen --data --store --inbox-source --dialects --default-dialect --allow-network --environment --tls-cert --tls-key --retention --drain-timeout --log-level --log-format --ca-file --bind --source-address --proxy --dns-servers --threads --max-in-flight --max-pending --max-connections --max-body --keyless-connections --streams --key-streams --key-rate --tenant-rate --tenant-endpoints --tenant-header-bytes --tenant-keys --tenant-replays --tenant-stored-bytes --tenant-unfinished-deliveries --host-requests --host-requests-per-second --address-requests --limit-warning --validate --public-catalogue --wrong-key-rate --trusted-proxy --client-header --session-idle --traces-endpoint --traces-ratio --traces-pass-on --ui --ui-dir --portal-origin --portal-url";;
            "endpoints list") words=" --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "endpoints create") words=" --event --description --secret-file --timeout --max-in-flight --rate-limit --variant --header --metadata --filter --template --retry --reenable --method --source-address --body-format --trace-context --payload-version --channel --order --order-wait --order-batch --auth --tls-certificate --tls-key --tls-ca --set --dialect --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "endpoints show") words=" --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "endpoints update") words=" --url --set-url --event --description --secret-file --timeout --max-in-flight --rate-limit --variant --header --metadata --filter --template --retry --reenable --method --source-address --body-format --trace-context --payload-version --channel --order --order-wait --order-batch --auth --tls-certificate --tls-key --tls-ca --set --dialect --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "endpoints delete") words=" --yes --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "endpoints pause") words=" --dialect --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "endpoints resume") words=" --dialect --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "endpoints test") words=" --type --verbose --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "endpoints retry") words=" --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "endpoints backfill") words=" --since --until --type --dry-run --no-wait --yes --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "endpoints health") words=" --state --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "events list") words=" --type --outcome --status-code --since --until --include-tests --cursor --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "events show") words=" --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "events matches") words=" --endpoint --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "events cancel") words=" --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "events erase") words=" --cancel --yes --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "deliveries list") words=" --endpoint --event --type --status --outcome --status-code --since --until --include-tests --cursor --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "deliveries show") words=" --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "deliveries retry") words=" --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "deliveries cancel") words=" --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "replay start") words=" --since --until --status --type --dry-run --no-wait --yes --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "replay show") words=" --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "replay cancel") words=" --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "secrets show") words=" --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "secrets rotate") words=" --overlap --variant --secret-file --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "secrets revoke") words=" --yes --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "inbox list") words=" --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "inbox rejected") words=" --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "inbox retry") words=" --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "inbox drop") words=" --yes --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "tenants list") words=" --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "tenants show") words=" --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "tenants put") words=" --name --dialect --attribute --retention --allow --allow-default --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "tenants delete") words=" --erase --yes --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "event-types list") words=" --of --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "event-types show") words=" --of --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "event-types put") words=" --of --description --group --schema --example --versions --validate --archived --deprecated --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "event-types delete") words=" --of --yes --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "event-types usage") words=" --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "keys list") words=" --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "keys create") words=" --scope --description --role --name --expires --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "keys delete") words=" --yes --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "dialect list") words=" --dialects --json --field --quiet --help";;
            "dialect show") words=" --dialects --yaml --json --field --quiet --help";;
            "dialect check") words=" --json --field --quiet --help";;
            "dialect vectors") words=" --dialects --json --field --quiet --help";;
            "dialect diff") words=" --dialects --json --field --quiet --help";;
            "serve "*) words=" --config --listen --data --store --inbox-source --dialects --default-dialect --allow-network --environment --tls-cert --tls-key --retention --drain-timeout --log-level --log-format --ca-file --bind --source-address --proxy --dns-servers --threads --max-in-flight --max-pending --max-connections --max-body --keyless-connections --streams --key-streams --key-rate --tenant-rate --tenant-endpoints --tenant-header-bytes --tenant-keys --tenant-replays --tenant-stored-bytes --tenant-unfinished-deliveries --host-requests --host-requests-per-second --address-requests --limit-warning --validate --public-catalogue --wrong-key-rate --trusted-proxy --client-header --session-idle --traces-endpoint --traces-ratio --traces-pass-on --ui --ui-dir --portal-origin --portal-url";;
            "init "*) words=" --json --field --quiet --help --config --listen --data --store --inbox-source --dialects --default-dialect --allow-network --environment --tls-cert --tls-key --retention --drain-timeout --log-level --log-format --ca-file --bind --source-address --proxy --dns-servers --threads --max-in-flight --max-pending --max-connections --max-body --keyless-connections --streams --key-streams --key-rate --tenant-rate --tenant-endpoints --tenant-header-bytes --tenant-keys --tenant-replays --tenant-stored-bytes --tenant-unfinished-deliveries --host-requests --host-requests-per-second --address-requests --limit-warning --validate --public-catalogue --wrong-key-rate --trusted-proxy --client-header --session-idle --traces-endpoint --traces-ratio --traces-pass-on --ui --ui-dir --portal-origin --portal-url";;
            "config "*) words=" check show --json --field --quiet --help --config --listen --data --store --inbox-source --dialects --default-dialect --allow-network --environment --tls-cert --tls-key --retention --drain-timeout --log-level --log-format --ca-file --bind --source-address --proxy --dns-servers --threads --max-in-flight --max-pending --max-connections --max-body --keyless-connections --streams --key-streams --key-rate --tenant-rate --tenant-endpoints --tenant-header-bytes --tenant-keys --tenant-replays --tenant-stored-bytes --tenant-unfinished-deliveries --host-requests --host-requests-per-second --address-requests --limit-warning --validate --public-catalogue --wrong-key-rate --trusted-proxy --client-header --session-idle --traces-endpoint --traces-ratio --traces-pass-on --ui --ui-dir --portal-origin --portal-url";;
            "dev "*) words=" --dialect --listen --port --data --once --json --field --quiet --help";;
            "send "*) words=" --sample --set --id --idempotency-key --time --resource-type --resource-id --channel --deliver-at --expires-at --wait --timeout --dialect --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "endpoints "*) words=" list create show update delete pause resume test retry backfill health --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "events "*) words=" list show matches cancel erase --type --outcome --status-code --since --until --include-tests --cursor --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "deliveries "*) words=" list show retry cancel --endpoint --event --type --status --outcome --status-code --since --until --include-tests --cursor --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "attempts "*) words=" --endpoint --event --type --outcome --status-code --include-tests --cursor --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "tail "*) words=" --endpoint --outcome --status-code --status --type --last --every --for --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "replay "*) words=" start show cancel --since --until --status --type --dry-run --no-wait --yes --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "secrets "*) words=" show rotate revoke --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "nodes "*) words=" --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "sql "*) words=" --json --field --quiet --help";;
            "inbox "*) words=" list rejected retry drop --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "tenants "*) words=" list show put delete --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "event-types "*) words=" list show put delete usage --of --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "keys "*) words=" list create delete --limit --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "portal-link "*) words=" --scope --expires-in --theme --return-url --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "template "*) words=" --event --data --type --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "listen "*) words=" --port --address --verify --secret-file --old-secret-file --forward --forward-refused --ca-file --endpoint-url --status --delay --drip --fail --count --headers --no-body --json --field --quiet --help";;
            "sign "*) words=" --dialect --secret-file --id --type --delivery-id --endpoint-id --endpoint-url --method --at --variant --json --field --quiet --help";;
            "verify "*) words=" --dialect --secret-file --old-secret-file --now --window --endpoint-url --json --field --quiet --help";;
            "explain "*) words=" --dialect --secret-file --old-secret-file --now --window --endpoint-url --filter --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "doctor "*) words=" --send --ready --resolve --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help --config --listen --data --store --inbox-source --dialects --default-dialect --allow-network --environment --tls-cert --tls-key --retention --drain-timeout --log-level --log-format --ca-file --bind --source-address --proxy --dns-servers --threads --max-in-flight --max-pending --max-connections --max-body --keyless-connections --streams --key-streams --key-rate --tenant-rate --tenant-endpoints --tenant-header-bytes --tenant-keys --tenant-replays --tenant-stored-bytes --tenant-unfinished-deliveries --host-requests --host-requests-per-second --address-requests --limit-warning --validate --public-catalogue --wrong-key-rate --trusted-proxy --client-header --session-idle --traces-endpoint --traces-ratio --traces-pass-on --ui --ui-dir --portal-origin --portal-url";;
            "backup "*) words=" --json --field --quiet --help --config --listen --data --store --inbox-source --dialects --default-dialect --allow-network --environment --tls-cert --tls-key --retention --drain-timeout --log-level --log-format --ca-file --bind --source-address --proxy --dns-servers --threads --max-in-flight --max-pending --max-connections --max-body --keyless-connections --streams --key-streams --key-rate --tenant-rate --tenant-endpoints --tenant-header-bytes --tenant-keys --tenant-replays --tenant-stored-bytes --tenant-unfinished-deliveries --host-requests --host-requests-per-second --address-requests --limit-warning --validate --public-catalogue --wrong-key-rate --trusted-proxy --client-header --session-idle --traces-endpoint --traces-ratio --traces-pass-on --ui --ui-dir --portal-origin --portal-url";;
            "restore "*) words=" --secret-key-file --json --field --quiet --help --config --listen --data --store --inbox-source --dialects --default-dialect --allow-network --environment --tls-cert --tls-key --retention --drain-timeout --log-level --log-format --ca-file --bind --source-address --proxy --dns-servers --threads --max-in-flight --max-pending --max-connections --max-body --keyless-connections --streams --key-streams --key-rate --tenant-rate --tenant-endpoints --tenant-header-bytes --tenant-keys --tenant-replays --tenant-stored-bytes --tenant-unfinished-deliveries --host-requests --host-requests-per-second --address-requests --limit-warning --validate --public-catalogue --wrong-key-rate --trusted-proxy --client-header --session-idle --traces-endpoint --traces-ratio --traces-pass-on --ui --ui-dir --portal-origin --portal-url";;
            "migrate "*) words=" --from --to --json --field --quiet --help --config --listen --data --store --inbox-source --dialects --default-dialect --allow-network --environment --tls-cert --tls-key --retention --drain-timeout --log-level --log-format --ca-file --bind --source-address --proxy --dns-servers --threads --max-in-flight --max-pending --max-connections --max-body --keyless-connections --streams --key-streams --key-rate --tenant-rate --tenant-endpoints --tenant-header-bytes --tenant-keys --tenant-replays --tenant-stored-bytes --tenant-unfinished-deliveries --host-requests --host-requests-per-second --address-requests --limit-warning --validate --public-catalogue --wrong-key-rate --trusted-proxy --client-header --session-idle --traces-endpoint --traces-ratio --traces-pass-on --ui --ui-dir --portal-origin --portal-url";;
            "export "*) words=" --to --secrets --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "import "*) words=" --dry-run --server --key-file --tenant --api-ca-file --insecure --json --field --quiet --help";;
            "dialect "*) words=" list show check vectors diff --dialects --json --field --quiet --help";;
            "version "*) words=" --json --field --quiet --help";;
            "help "*) words=" --man --completion --write --json --field --quiet --help";;
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
    [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "$cur"))
}
complete -F _tenterhook tenterhook
