// expect: cannot convert value of type 'String' to expected dictionary value type 'NDArray'
import CoreAI

func run(_ function: InferenceFunction) async throws {
  _ = try await function.run(inputs: ["image": "a frame"])
}
