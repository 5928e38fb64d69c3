"""What is asked: experiments, studies, and the identity of an experiment."""
