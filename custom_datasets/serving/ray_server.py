"""Deploy the application on Ray, watch it, and let it end."""

import logging
import os
import signal
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from custom_datasets.errors import UserError
from custom_datasets.predicting.cluster import (
    ADDRESS,
    RaySettings,
    last_line,
    place_everywhere,
    ray_cluster,
)
from custom_datasets.serving.engine import load_model
from custom_datasets.serving.limits import Service
from custom_datasets.serving.log import log, use_json
from custom_datasets.serving.ray_engine import REPLICA, Entry, Replica
from custom_datasets.serving.server import (
    announce,
    listening,
    opencv_variables,
)

_LOOK_SECONDS = 0.5
_GRACE_SECONDS = 5
_QUIET = {'enable_access_log': False, 'log_level': 'ERROR'}

# The application refuses what is too much, and says why; Ray's own answers do not.
_ENTRY = {
    'num_replicas': 1,
    'max_ongoing_requests': 1000,
    'ray_actor_options': {'num_cpus': 0},
    'health_check_period_s': 2,
}


def run_on_ray(
    service: Service,
    settings: RaySettings,
    host: str = '127.0.0.1',
    port: int = 8000,
    json_log: bool = False,
) -> int:
    """Serve until a signal ends it, and return the exit status.

    SIGHUP lets all replicas load the checkpoint again.

    Raises:
        UserError: The address cannot be taken, the model cannot be loaded, or Ray
            refuses a setting.
    """
    use_json(json_log)
    with listening(host, port) as listener:
        port = listener.getsockname()[1]
    service = _on_all_machines(service, settings)
    with ray_cluster(settings):
        server = _Server(service, settings, json_log)
        try:
            server.start(host, port)
            announce(host, port)
            server.watch()
        finally:
            server.end()
    return 0


class _Server:
    def __init__(self, service: Service, settings: RaySettings, json_log: bool) -> None:
        self.service, self.settings, self.json_log = service, settings, json_log
        self.entry: Any = None
        self.actor_options = _with_variables(
            settings.model.get('ray_actor_options') or {},
            opencv_variables(service.limits.pixels),
        )
        self.ending, self.reloading = threading.Event(), threading.Event()
        # Ray has set its own, which end at once.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.ending.set())
        if hasattr(signal, 'SIGHUP'):
            signal.signal(signal.SIGHUP, lambda *_: self.reloading.set())

    def start(self, host: str, port: int) -> None:
        """Open the address and deploy what answers there."""
        from ray import serve
        from ray.serve.exceptions import RayServeException

        if others := serve.status().applications:
            raise UserError(
                f'the cluster serves {", ".join(others)} already; end that, or run '
                '`serve shutdown`'
            )
        logging.getLogger('ray.serve').setLevel(logging.WARNING)
        try:
            target = self._target()
            self._require_model()
            serve.shutdown()  # It may be left from another address.
            serve.start(
                proxy_location='HeadOnly',
                http_options={'host': host, 'port': port},
                logging_config=_QUIET,
            )
            (self.entry,) = serve.run_many(
                [target], wait_for_applications_running=False
            )
        except (TypeError, ValueError, RayServeException) as error:
            reason = ' '.join(str(error).split())
            raise UserError(
                f'Ray refuses the settings of the model: {reason}'
            ) from error

    def _target(self) -> Any:
        """Return what Ray is to run; raises what Ray raises for wrong settings."""
        from ray import serve

        model = {**self.settings.model, 'ray_actor_options': self.actor_options}
        replicas = serve.deployment(Replica, name=REPLICA, **model)
        entry = serve.deployment(serve.ingress()(Entry), name='entry', **_ENTRY)
        app = entry.bind(
            self.service, self.json_log, replicas.bind(self.service, self.json_log)
        )
        return serve.RunTarget(app, name=self.service.name, logging_config=_QUIET)

    def _require_model(self) -> None:
        """Let the cluster load it once, since Ray tells of faults by tracebacks only.

        It needs what a replica will need; without that nothing would ever start.
        """
        import ray
        from ray.exceptions import RayError

        options = self.actor_options
        present = ray.cluster_resources()
        for name, key in (('num_cpus', 'CPU'), ('num_gpus', 'GPU')):
            if options.get(name, 0) > present.get(key, 0):
                log(
                    'warning', f'{name}: {options[name]}: the cluster has less; waiting'
                )
        try:
            load = ray.remote(max_calls=1, **options)(_why_not)
            loading = load.remote(self.service)
            while not ray.wait([loading], timeout=_LOOK_SECONDS)[0]:
                if self.ending.is_set():
                    raise KeyboardInterrupt
            problem = ray.get(loading)
        except (RayError, TypeError, ValueError) as error:
            raise UserError(
                f'the cluster cannot load the model: {last_line(error)}'
            ) from error
        if problem:
            raise UserError(problem)

    def watch(self) -> None:
        """Return when a signal came; raise a UserError where nothing can be loaded."""
        from ray import serve
        from ray.exceptions import RayError

        while not self.ending.wait(_LOOK_SECONDS):
            if self.reloading.is_set():
                self.reloading.clear()
                self.entry.reload.remote()
            try:
                app = serve.status().applications[self.service.name]
            except RayError:
                continue  # Ray's controller restarts; the replicas go on.
            if app.status == 'DEPLOY_FAILED':
                messages = [row.message for row in app.deployments.values()]
                told = ' '.join([app.message, *messages])
                raise UserError(f'Ray cannot start it: {told}')

    def end(self) -> None:
        """Answer what was accepted, and remove what was deployed."""
        from ray import serve

        if self.entry is None:
            return
        if self.ending.is_set():
            seconds = self.service.limits.seconds + _GRACE_SECONDS
            try:
                self.entry.drain.remote().result(timeout_s=seconds)
            except Exception as error:  # Whatever it is, we end.
                log('warning', f'not all was answered: {type(error).__name__}')
        serve.delete(self.service.name)
        if os.environ.get(ADDRESS):
            serve.shutdown()  # What was started here ends as a whole.


def _with_variables(
    options: Mapping[str, Any], variables: Mapping[str, str]
) -> dict[str, Any]:
    """Add variables of the environment to an actor's options."""
    given = options.get('runtime_env') or {}
    own = {'env_vars': {**variables, **given.get('env_vars', {})}}
    return {**options, 'runtime_env': {**given, **own}}


def _why_not(service: Service) -> str:
    """Say why a model cannot be loaded; an empty text if it can."""
    try:
        load_model(service)
    except UserError as error:
        return str(error)
    return ''


def _on_all_machines(service: Service, settings: RaySettings) -> Service:
    """Return what replicas are told: paths that they find, and Ray's queue."""
    scaling = settings.model.get('autoscaling_config') or {}
    if scaling.get('min_replicas', 1) < 1:
        raise UserError(
            'min_replicas: must be at least 1; without a model none is ready'
        )
    queue = settings.model.get('max_queued_requests', service.limits.queue)
    given: dict[str, Any] = {
        name: place_everywhere(path)
        for name in ('model', 'checkpoint', 'example')
        if (path := getattr(service, name)) is not None
    }
    return replace(service, **given, limits=replace(service.limits, queue=queue))
