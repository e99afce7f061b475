"""What quitring is to reach beside others: ratios of what both took in the same round."""

import statistics

# What, whose, to whose (None: the figure itself), in which work, of what, and the goal: at most.
GOALS = [
    *((f"CPU per callback on {net}, {work} connections, to {whom}", net, peer, work, "cpu_us", goal)
      for whom, peer, goals in (
          ("minimal epoll on loopback", "epoll", (0.75, 0.65)),
          ("nginx on loopback", "nginx", (0.62, 0.55)),
          ("lwIP's raw httpd on a TAP", "lwip-httpd", (1.10, 1.00)),
          ("lwIP's raw API, nothing parsed", "lwip-raw", (1.10, 1.00)))
      for work, goal in zip(("16", "100"), goals)
      for net in ("tap", "packet")),
    *((f"p50 latency on TAP, {work} connection(s), to minimal epoll on loopback", "tap", "epoll",
       work, "p50_us", 1.00) for work in ("1", "2")),
    *((f"p99 latency on TAP, {work} connections, to nginx on loopback", "tap", "nginx", work,
       "p99_us", 1.00) for work in ("16", "100")),
    *((f"frames per callback on TAP, {way}, {work} connections", "tap", None, work, key, 1.01)
      for work in ("16", "100") for way, key in (("to us", "frames_out"), ("from us", "frames_in"))),
    *((f"CPU per callback on the kernel's sockets, {work} connections, to nginx", "host", "nginx",
       work, "cpu_us", 0.75) for work in ("16", "100")),
]


def find(found):
    """Of each goal that was measured: what, goal, found, least and most found, whether reached."""
    results = []
    for what, whose, whom, work, key, goal in GOALS:
        ours = found.get(work, {}).get(whose)
        theirs = found.get(work, {}).get(whom) if whom else ours
        if ours and theirs:
            ratios = [a[key] / b[key] if whom else a[key] for a, b in zip(ours, theirs)]
            middle = statistics.median(ratios)
            results.append({"what": what, "goal": goal, "found": middle, "least": min(ratios),
                            "most": max(ratios), "reached": round(middle, 2) <= goal})
    return results


def show(results):
    if results:
        print("\nGoals: the median of the rounds' ratios, and their range")
    width = max((len(result["what"]) for result in results), default=0)
    for result in results:
        told = "reached" if result["reached"] else "NOT reached"
        print(f"  {result['what']:<{width}}  at most {result['goal']:.2f}  found {result['found']:5.2f}"
              f" ({result['least']:.2f}-{result['most']:.2f})  {told}")
