"""Modules: layers, losses, containers and their initial values."""

from ..ops import activation, loss
from . import convolution, functional, init, padding, pooling, resizing, utils
from .containers import ModuleList, Sequential
from .convolution import *  # noqa: F403
from .dropout import Dropout
from .from_functions import module_of
from .linear import Identity, Linear
from .module import Module
from .norms import BatchNorm1d, BatchNorm2d
from .padding import *  # noqa: F403
from .parameter import Parameter
from .pooling import *  # noqa: F403
from .resizing import *  # noqa: F403
from .shapes import Flatten, Unflatten

ReLU = module_of(activation.relu, "ReLU")
LeakyReLU = module_of(activation.leaky_relu, "LeakyReLU")
ELU = module_of(activation.elu, "ELU")
SELU = module_of(activation.selu, "SELU")
SiLU = module_of(activation.silu, "SiLU")
Tanh = module_of(activation.tanh, "Tanh")
Sigmoid = module_of(activation.sigmoid, "Sigmoid")
Softplus = module_of(activation.softplus, "Softplus")
Softsign = module_of(activation.softsign, "Softsign")
GELU = module_of(activation.gelu, "GELU")
Softmax = module_of(activation.softmax, "Softmax", without=("dtype",))
LogSoftmax = module_of(activation.log_softmax, "LogSoftmax", without=("dtype",))

CrossEntropyLoss = module_of(loss.cross_entropy, "CrossEntropyLoss", tensors=("weight",))
NLLLoss = module_of(loss.nll_loss, "NLLLoss", tensors=("weight",))
MSELoss = module_of(loss.mse_loss, "MSELoss", without=("weight",))
L1Loss = module_of(loss.l1_loss, "L1Loss", without=("weight",))
BCELoss = module_of(loss.binary_cross_entropy, "BCELoss", tensors=("weight",))
BCEWithLogitsLoss = module_of(
    loss.binary_cross_entropy_with_logits, "BCEWithLogitsLoss", tensors=("weight", "pos_weight"),
    last=("pos_weight",))

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "BatchNorm1d", "BatchNorm2d", "CrossEntropyLoss", "Dropout",
    "ELU", "Flatten", "GELU", "Identity", "L1Loss", "LeakyReLU", "Linear", "LogSoftmax", "MSELoss",
    "Module", "ModuleList", "NLLLoss", "Parameter", "ReLU", "SELU", "Sequential", "SiLU", "Sigmoid",
    "Softmax", "Softplus", "Softsign", "Tanh", "Unflatten", "functional", "init", "utils",
    *convolution.__all__, *padding.__all__, *pooling.__all__, *resizing.__all__,
]
