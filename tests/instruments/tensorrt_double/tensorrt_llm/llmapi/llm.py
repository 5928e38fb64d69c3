"""``LLM`` of both backends, over a worker in a process of its own."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import queue
import shutil
import tempfile
import threading
import time
import weakref
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tensorrt_llm import faults
from tensorrt_llm.executor import Executor
from tensorrt_llm.llmapi.building import check_engine, is_engine, read, write_engine
from tensorrt_llm.llmapi.llm_args import TorchLlmArgs, TrtLlmArgs
from tensorrt_llm.metrics import MetricNames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tensorrt_llm.llmapi.sampling import SamplingParams

STEPS = ("arrival_time", "first_scheduled_time", "first_token_time", "last_token_time")


class RequestOutput:
    """Waits for its answer by ``result``, ``await``, or step by step."""

    def __init__(self, number: int, prompt: list[int], executor: Executor) -> None:
        self.request_id = number
        self.prompt_token_ids = prompt
        self.finished = False
        self.metrics_dict: dict[Any, float] = {}
        self.outputs = [
            SimpleNamespace(
                index=0, text="", token_ids=[], finish_reason=None, request_perf_metrics=None
            )
        ]
        self._executor = executor
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._arrived: asyncio.Queue[dict[str, Any]] | None = None
            executor.expect(number, self._answers.put)
        else:
            self._arrived = arrived = asyncio.Queue()

            def take(answer: dict[str, Any]) -> None:
                with contextlib.suppress(RuntimeError):  # nobody waits: the loop has ended
                    loop.call_soon_threadsafe(arrived.put_nowait, answer)

            executor.expect(number, take)

    def result(self, timeout: float | None = None) -> RequestOutput:
        del timeout  # which the real one does not heed either
        while not self.finished:
            self._take(self._answers.get())
        return self

    def __aiter__(self) -> RequestOutput:
        return self

    async def __anext__(self) -> RequestOutput:
        if self.finished:
            raise StopAsyncIteration
        assert self._arrived is not None, "the event loop was not present during initialization"
        self._take(await self._arrived.get())
        return self

    def _take(self, answer: dict[str, Any]) -> None:
        if answer.get("error"):
            raise RuntimeError(answer["error"])
        output = self.outputs[0]
        output.token_ids.extend(answer["tokens"])
        self.finished = answer["done"]
        if not self.finished:
            return
        output.finish_reason = answer["finish_reason"]
        if not faults.asked("no-metrics"):
            self._keep_times(answer["times"], output)

    def _keep_times(self, times: dict[str, float], output: Any) -> None:
        shift = 1e6 if faults.asked("other-clock") else 0.0
        timing = {name: timedelta(seconds=times[name] + shift) for name in STEPS}
        if not faults.asked("durations-only"):
            output.request_perf_metrics = SimpleNamespace(timing_metrics=SimpleNamespace(**timing))
        since = {name: times[name] - times["arrival_time"] for name in STEPS}
        self.metrics_dict = {
            "finished_reason": output.finish_reason,
            MetricNames.TTFT: since["first_token_time"],
            MetricNames.E2E: since["last_token_time"],
            MetricNames.REQUEST_QUEUE_TIME: since["first_scheduled_time"],
        }


class BaseLLM:
    _args_class: type[Any]

    def __init__(  # noqa: PLR0913, PLR0917 - the signature of the real one
        self,
        model: str | Path,
        tokenizer: Any = None,
        tokenizer_mode: str = "auto",
        skip_tokenizer_init: bool = False,
        trust_remote_code: bool = False,
        tensor_parallel_size: int = 1,
        dtype: str = "auto",
        revision: str | None = None,
        tokenizer_revision: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._executor: Executor | None = None
        valid = {*self._args_class.model_fields, "_mpi_session", "backend"}
        for key in kwargs:
            if key not in valid:
                raise ValueError(f"{type(self).__name__} got invalid argument: {key}")
        self.args = self._args_class(
            model=model,
            tokenizer=tokenizer,
            tokenizer_mode=tokenizer_mode,
            skip_tokenizer_init=skip_tokenizer_init,
            trust_remote_code=trust_remote_code,
            tensor_parallel_size=tensor_parallel_size,
            dtype=dtype,
            revision=revision,
            tokenizer_revision=tokenizer_revision,
            **kwargs,
        )
        faults.at_load()
        if faults.asked("fewer-requests"):
            self.args.max_batch_size = 1
        self._numbers = iter(range(1, 1 << 40))
        self._start()
        atexit.register(BaseLLM._shutdown_wrapper, weakref.ref(self))

    @staticmethod
    def _shutdown_wrapper(reference: weakref.ref[BaseLLM]) -> None:
        instance = reference()
        if instance is not None:
            instance.shutdown()

    def _start(self) -> None:
        raise NotImplementedError

    def _execute(self, vocabulary: int) -> None:
        args = self.args
        ranks = args.tensor_parallel_size * args.pipeline_parallel_size * args.context_parallel_size
        self._executor = Executor(ranks, vocabulary, self.args.max_batch_size)

    def generate(  # noqa: PLR0913, PLR0917 - the signature of the real one
        self,
        inputs: Any,
        sampling_params: Any = None,
        use_tqdm: bool = True,
        lora_request: Any = None,
        prompt_adapter_request: Any = None,
        kv_cache_retention_config: Any = None,
        disaggregated_params: Any = None,
        scheduling_params: Any = None,
        cache_salt: Any = None,
    ) -> list[RequestOutput]:
        parameters: Sequence[Any] = (
            sampling_params
            if isinstance(sampling_params, list)
            else [sampling_params] * len(inputs)
        )
        futures = [
            self.generate_async(one, sampling_params=parameters[at], lora_request=lora_request)
            for at, one in enumerate(inputs)
        ]
        return [future.result() for future in futures]

    def generate_async(  # noqa: PLR0913, PLR0917 - the signature of the real one
        self,
        inputs: Any,
        sampling_params: Any = None,
        lora_request: Any = None,
        prompt_adapter_request: Any = None,
        streaming: bool = False,
        kv_cache_retention_config: Any = None,
        disaggregated_params: Any = None,
        _postproc_params: Any = None,
        scheduling_params: Any = None,
        cache_salt: Any = None,
    ) -> RequestOutput:
        if self._executor is None:
            raise RuntimeError("LLM is shutting down")
        prompt = list(inputs["prompt_token_ids"])
        self._check(len(prompt), sampling_params)
        if sampling_params.end_id is None:
            raise ValueError("tokenizer is required to reset end_id if it is None")
        output = RequestOutput(next(self._numbers), prompt, self._executor)
        self._executor.submit(
            {
                "id": output.request_id,
                "prompt": prompt,
                "max_tokens": sampling_params.max_tokens,
                "end_id": None if sampling_params.ignore_eos else sampling_params.end_id,
                "streaming": streaming,
                "arrival_time": time.monotonic(),
            }
        )
        return output

    def _check(self, prompt: int, parameters: SamplingParams) -> None:
        raise NotImplementedError

    def shutdown(self) -> None:
        if faults.asked("shutdown-hangs") and self._executor is not None:
            threading.Event().wait()
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown()

    def __del__(self) -> None:
        self.shutdown()


class LLM(BaseLLM):
    _args_class = TorchLlmArgs

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        backend = kwargs.pop("backend", "pytorch")
        others = TrtLlmArgs.model_fields.keys() - TorchLlmArgs.model_fields.keys()
        if foreign := [key for key in kwargs if key in others]:
            raise ValueError(
                "The following arguments are specific to TensorRT backend and cannot be used with "
                f"PyTorch backend: {foreign}."
            )
        super().__init__(*args, backend=backend, **kwargs)

    def _start(self) -> None:
        self._execute(read(Path(self.args.model))["vocab_size"])

    def _check(self, prompt: int, parameters: SamplingParams) -> None:
        most = self.args.max_num_tokens
        if not self.args.enable_chunked_prefill and prompt > most:
            raise ValueError(
                f"The sum of prompt length ({prompt}), query length (0) should not exceed "
                f"max_num_tokens ({most})"
            )


class _TrtLLM(BaseLLM):
    _args_class = TrtLlmArgs

    def _start(self) -> None:
        model = Path(self.args.model)
        self._workspace = tempfile.TemporaryDirectory(suffix="-llm-workspace")
        if is_engine(model):
            self._engine_dir = model
        else:
            import tensorrt_llm

            self._engine_dir = Path(self._workspace.name) / "tmp.engine"
            write_engine(self._engine_dir, self.args, tensorrt_llm.__version__)
        check_engine(self._engine_dir, self.args)
        self._execute(read(self._engine_dir)["pretrained_config"]["vocab_size"])

    def save(self, engine_dir: str) -> None:
        shutil.copytree(self._engine_dir, engine_dir, dirs_exist_ok=True)

    def shutdown(self) -> None:
        super().shutdown()
        if hasattr(self, "_workspace"):
            self._workspace.cleanup()

    def _check(self, prompt: int, parameters: SamplingParams) -> None:
        built = json.loads((self._engine_dir / "config.json").read_text())["build_config"]
        if prompt + parameters.max_tokens > built["max_seq_len"]:
            raise ValueError(
                f"The sum of prompt length ({prompt}) and query length (0) max_tokens "
                f"({parameters.max_tokens}) should not exceed max_seq_len ({built['max_seq_len']})"
            )
