"""What is refused before a cluster is started; without Ray."""

import pytest

from custom_datasets.errors import UserError
from custom_datasets.predicting.cluster import RaySettings
from custom_datasets.serving.limits import Service
from custom_datasets.serving.ray_server import run_on_ray
from tools import serve


def test_a_server_keeps_a_replica():
    settings = RaySettings(model={'autoscaling_config': {'min_replicas': 0}})
    with pytest.raises(UserError, match='min_replicas: must be at least 1'):
        run_on_ray(Service('run'), settings, port=0)


def test_an_address_that_is_taken_is_one_sentence():
    with pytest.raises(UserError, match=r'192\.0\.2\.99:80: cannot be listened on'):
        run_on_ray(Service('run'), RaySettings(), '192.0.2.99', 80)


@pytest.mark.parametrize('option', ['--workers', '--max-queue'])
def test_what_the_yaml_says_is_no_option(option, capsys):
    with pytest.raises(SystemExit):
        serve.main(['run', '--engine', 'ray', option, '3'])
    assert '--ray-config says how many processes there are' in capsys.readouterr().err
