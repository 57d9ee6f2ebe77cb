// expect: requires that 'String' conform to 'Scalar'
import ExecuTorch

func input() -> Tensor<String> { Tensor<String>(["a"], shape: [1]) }
