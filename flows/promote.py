"""The promote flow: a challenger against the champion on held-out days; the rules of params.yaml decide.

Run it with ``python -m flows.promote`` or from its deployment. A challenger that is refused is no failure: the flow
completes, and its pages say why with the proof.
"""

import sys

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from finescale.errors import FinescaleError
from finescale.service.promoting import promote as decide
from flows import embedded, showcase
from flows.forms import Promote


@flow(flow_run_name="{request.title}", persist_result=True, result_serializer="json")
def promote(request: Promote = Promote()) -> State[dict[str, str]]:
    """Judge a registered version, move the alias where the evidence is better, and show the proof."""
    try:
        decision = decide(
            request.root.resolve(), request.challenger, period=request.days(), tell=get_run_logger().info
        )
    except FinescaleError as error:
        return Failed(message=str(error))
    showcase.decision(decision)
    return Completed(message=decision.text, data={"champion": decision.champion, "reason": decision.reason})


if __name__ == "__main__":
    sys.exit(embedded.run(promote))
