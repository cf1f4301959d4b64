#!/usr/bin/env bash
# Checks the agent's metrics and the alert rules with Prometheus's own tool.
#
#   .ci/monitoring.sh install       install promtool if it is missing (as root); starts no service
#   .ci/monitoring.sh test          install, then run the checks
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

install() {
  if ! command -v promtool >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update
    # Debian's packages ask this program whether a service may be started.
    local policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
      printf '#!/bin/sh\nexit 101\n' >"$policy"
      chmod +x "$policy"
      trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    apt-get install -y --no-install-recommends prometheus
  fi
}

# queries: prints the dashboard's queries as recording rules, with its variables filled in.
queries() {
  python3 - packaging/monitoring/grafana-dashboard.json <<'PYTHON'
import json, sys
board = json.load(open(sys.argv[1]))
queries = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
assert queries, "the dashboard holds no query"
filled = [query.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$lab", ".*")
          for query in queries]
rules = [{"record": f"query_{number}", "expr": query} for number, query in enumerate(filled)]
json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, sys.stdout)
PYTHON
}

case ${1:-} in
  install)
    install
    ;;
  test)
    install
    place=$PWD/target/monitoring
    rm -rf "$place"
    mkdir -p "$place"
    echo '--- alert rules'
    promtool check rules packaging/monitoring/casedrop.rules.yml
    promtool test rules packaging/monitoring/casedrop.rules.test.yml
    echo '--- the queries of the dashboard'
    queries >"$place/dashboard.rules.json"
    promtool check rules "$place/dashboard.rules.json"
    echo '--- the example for Prometheus'
    # Only the paths differ from those of a real server.
    cp packaging/monitoring/{prometheus.yml,casedrop.rules.yml,casedrop-pcs.yml} "$place"
    touch "$place/casedrop.password" "$place/casedrop-ca.pem"
    sed -i "s|/etc/prometheus/|$place/|" "$place/prometheus.yml"
    promtool check config "$place/prometheus.yml"
    echo '--- what the agent renders'
    CASEDROP_TEST_METRICS_FILE=$place/metrics.txt \
      cargo test --locked --lib metrics::tests::the_format_is_right
    promtool check metrics <"$place/metrics.txt"
    # Proves that the test has written it; nothing is left of an earlier one.
    grep -c '^casedrop_' "$place/metrics.txt"
    ;;
  *)
    sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 2
    ;;
esac
